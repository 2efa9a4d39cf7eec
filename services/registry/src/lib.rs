//! Discovery with leases, and central configuration with versions.
