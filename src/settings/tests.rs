#![allow(unreachable_pub, reason = "section! declares public structs")]

use super::*;

section! {
    /// A table for the tests.
    pub struct Small {
        /// Number of the
        /// trees.
        ///
        /// More than the help says.
        #[was("tree_count")]
        #[setting(default = 3, allowed(Allowed::Between(1.0, 9.0)))]
        pub trees: usize,
        /// Share of the rows
        #[setting(default = 0.5, allowed(Allowed::PositiveShare), hint("half is 0.5"))]
        pub share: f64,
        /// What it is called
        #[setting(default = None)]
        pub name: Option<String>,
    }
}

section! {
    /// A table with tables in it.
    pub struct Large {
        /// The first
        #[setting(default = Small { trees: 4, ..Small::default() })]
        pub first: Small,
        /// The second, whose keys are flags
        #[setting(default = Small::default(), flag(Scope::Tickets))]
        pub second: Small,
    }
}

fn refusal(change: impl Fn(&mut Large)) -> String {
    let mut large = Large::default();
    change(&mut large);
    large.check_ranges("all.").unwrap_err().to_string()
}

#[test]
fn one_declaration_gives_struct_defaults_and_settings() {
    let [trees, share, name] = Small::SETTINGS else {
        panic!("{:?}", Small::SETTINGS)
    };
    assert_eq!((trees.key, share.key, name.key), ("trees", "share", "name"));
    assert_eq!(trees.meaning(), "Number of the trees");
    assert_eq!(trees.range().unwrap(), "between 1 and 9");
    assert_eq!(
        (trees.former_keys, name.range()),
        (&["tree_count"][..], None)
    );
    assert_eq!(name.kind.words(), "text");
    assert_eq!(Large::default().first.trees, 4);
    let read: Small = serde_json::from_str(r#"{"tree_count": 7}"#).unwrap();
    assert_eq!(
        read,
        Small {
            trees: 7,
            ..Small::default()
        }
    );
    assert!(serde_json::from_str::<Small>(r#"{"tres": 7}"#).is_err());
}

#[test]
fn a_refusal_names_the_key_its_range_its_value_and_a_way_out() {
    assert_eq!(
        refusal(|large| large.first.trees = 0),
        "all.first.trees should be between 1 and 9, but is 0\n\
         hint: it means: Number of the trees. Without the key, its default holds, which `okuo config` shows"
    );
    assert_eq!(
        refusal(|large| large.second.share = -0.5),
        "all.share should be above 0 and at most 1, but is -0.5\nhint: half is 0.5",
        "what is a flag is called as such"
    );
}

#[test]
fn what_is_no_number_is_in_no_range() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for allowed in [
            Allowed::AtLeast(1.0),
            Allowed::AtMost(1.0),
            Allowed::SHARE,
            Allowed::Above(0.0),
            Allowed::PositiveShare,
        ] {
            assert!(!allowed.holds(value), "{allowed}: {value}");
        }
    }
    assert!(refusal(|large| large.first.share = f64::NAN).contains("but is NaN"));
}

#[test]
fn the_ends_of_a_range_belong_to_it_where_the_words_say_so() {
    let held = |allowed: Allowed| [0.0, 0.5, 1.0, 1.5].map(|value| allowed.holds(value));
    assert_eq!(held(Allowed::AtLeast(0.5)), [false, true, true, true]);
    assert_eq!(held(Allowed::AtMost(0.5)), [true, true, false, false]);
    assert_eq!(held(Allowed::SHARE), [true, true, true, false]);
    assert_eq!(held(Allowed::Above(0.5)), [false, false, true, true]);
    assert_eq!(held(Allowed::PositiveShare), [false, true, true, false]);
}
