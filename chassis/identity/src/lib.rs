//! Member tokens and service tokens: signing, verifying, and who may call which route.
