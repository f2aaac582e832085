//! The demo: all that okuo does and prints, on tickets that never change. So learned numbers are
//! part of the snapshot; a better model changes it, and the change is there to be read.

use crate::sandbox::Sandbox;

#[test]
fn the_demo_prints_the_same_every_time() {
    let run = Sandbox::empty().okuo(&["demo"]);
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(run.to_string()) });
}
