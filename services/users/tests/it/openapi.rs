use users::Users;

#[test]
fn the_interface_that_is_checked_in_is_the_one_that_runs() {
    testing::openapi::assert_current::<Users>(env!("CARGO_MANIFEST_DIR"));
}
