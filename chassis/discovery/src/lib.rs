//! Who is where: register, heartbeat, watch, and the configuration documents.
