//! The description of the interface is the interface.

use observatory::Observatory;

#[test]
fn the_checked_in_description_is_current() {
    testing::openapi::assert_current::<Observatory>(env!("CARGO_MANIFEST_DIR"));
}
