//! How a feature is declared: one entry with its documentation, unit, name and value.
//!
//! [`feature_table!`] makes of the entries a table for readers, the columns by name, and one
//! straight-line function that fills a row, so that no two lists must be kept in step.

use super::MISSING;

/// A feature as readers of a model see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// The name, as model files list it.
    pub name: &'static str,
    /// What its values are counted in.
    pub unit: Unit,
    /// What it is, in one sentence of Markdown.
    pub doc: &'static str,
}

/// What the values of a feature are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Days.
    Days,
    /// Purchases of the customer.
    Purchases,
    /// Distinct products.
    Products,
    /// A part of a whole, from 0 to 1.
    Share,
    /// How many times one value is another.
    Ratio,
    /// A probability, from 0 to 1.
    Probability,
    /// A day of the week, from 0 = Monday to 6 = Sunday.
    Weekday,
    /// A day of the month, from 1 to 31.
    DayOfMonth,
    /// A place in an order, from 0.
    Rank,
    /// 1 for yes, 0 for no.
    YesOrNo,
}

impl Unit {
    /// The unit in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Purchases => "purchases",
            Self::Products => "products",
            Self::Share => "share",
            Self::Ratio => "ratio",
            Self::Probability => "probability",
            Self::Weekday => "weekday (0 = Monday)",
            Self::DayOfMonth => "day of the month",
            Self::Rank => "rank from 0",
            Self::YesOrNo => "1 or 0",
        }
    }
}

/// What an entry of a feature table may compute; what is not known becomes [`MISSING`].
pub(super) trait FeatureValue {
    /// The value as it stands in a row.
    fn in_row(self) -> f32;
}

impl FeatureValue for f32 {
    #[inline]
    fn in_row(self) -> f32 {
        self
    }
}

impl FeatureValue for f64 {
    #[inline]
    fn in_row(self) -> f32 {
        self as f32
    }
}

impl FeatureValue for i32 {
    #[inline]
    fn in_row(self) -> f32 {
        self as f32
    }
}

impl FeatureValue for u32 {
    #[inline]
    fn in_row(self) -> f32 {
        self as f32
    }
}

impl FeatureValue for usize {
    #[inline]
    fn in_row(self) -> f32 {
        self as f32
    }
}

impl FeatureValue for bool {
    #[inline]
    fn in_row(self) -> f32 {
        f32::from(u8::from(self))
    }
}

impl FeatureValue for Option<f64> {
    #[inline]
    fn in_row(self) -> f32 {
        self.map_or(MISSING, |value| value as f32)
    }
}

impl FeatureValue for Option<i32> {
    #[inline]
    fn in_row(self) -> f32 {
        self.map_or(MISSING, |value| value as f32)
    }
}

/// Declares the features of a row, an entry each, in the order of the row.
///
/// ```text
/// feature_table! {
///     /// What the table is.
///     pub TABLE, COLUMNS: ColumnsType, WIDTH;
///     /// What the function does.
///     fn row(context: &Context);
///
///     /// What the feature is.
///     name: Unit = value of `context`;
/// }
/// ```
///
/// It makes `TABLE: [Feature; WIDTH]`, `COLUMNS.name: usize` (where the feature stands in a row; an
/// unknown name does not compile), and `row(context) -> [f32; WIDTH]`. A value is anything that
/// implements [`FeatureValue`].
///
/// With a second function, entries may have a second value: `name: Unit = value, new value`. The
/// second function takes it, or where there is none the first.
macro_rules! feature_table {
    (
        $(#[$about_table:meta])+
        pub $table:ident, $columns:ident: $columns_type:ident, $width:ident;
        $(#[$about_row:meta])+
        fn $row:ident($($argument:ident: $type:ty),+);
        $(
            $(#[doc = $doc:literal])+
            $name:ident: $unit:ident = $value:expr;
        )+
    ) => {
        $crate::features::table::feature_table! {
            @table
            $(#[$about_table])+
            pub $table, $columns: $columns_type, $width;
            $($(#[doc = $doc])+ $name: $unit;)+
        }

        $(#[$about_row])+
        fn $row($($argument: $type),+) -> [f32; $width] {
            [$($crate::features::table::FeatureValue::in_row($value)),+]
        }
    };
    (
        $(#[$about_table:meta])+
        pub $table:ident, $columns:ident: $columns_type:ident, $width:ident;
        $(#[$about_row:meta])+
        fn $row:ident($($argument:ident: $type:ty),+);
        $(#[$about_new_row:meta])+
        fn $new_row:ident($($new_argument:ident: $new_type:ty),+);
        $(
            $(#[doc = $doc:literal])+
            $name:ident: $unit:ident = $value:expr $(, new $new_value:expr)?;
        )+
    ) => {
        $crate::features::table::feature_table! {
            @table
            $(#[$about_table])+
            pub $table, $columns: $columns_type, $width;
            $($(#[doc = $doc])+ $name: $unit;)+
        }

        $(#[$about_row])+
        fn $row($($argument: $type),+) -> [f32; $width] {
            [$($crate::features::table::FeatureValue::in_row($value)),+]
        }

        $(#[$about_new_row])+
        fn $new_row($($new_argument: $new_type),+) -> [f32; $width] {
            [$($crate::features::table::FeatureValue::in_row(
                $crate::features::table::feature_table!(@last $value $(, $new_value)?)
            )),+]
        }
    };
    (
        @table
        $(#[$about_table:meta])+
        pub $table:ident, $columns:ident: $columns_type:ident, $width:ident;
        $($(#[doc = $doc:literal])+ $name:ident: $unit:ident;)+
    ) => {
        #[doc = concat!("How many features [`", stringify!($table), "`] has.")]
        pub const $width: usize = [$(stringify!($name)),+].len();

        $(#[$about_table])+
        pub const $table: [$crate::features::Feature; $width] = [
            $($crate::features::Feature {
                name: stringify!($name),
                unit: $crate::features::Unit::$unit,
                doc: concat!($($doc),+).trim_ascii(),
            }),+
        ];

        #[doc = concat!("Where each feature of [`", stringify!($table), "`] stands in a row.")]
        #[derive(Debug, Clone, Copy)]
        pub struct $columns_type {
            $($(#[doc = $doc])+ pub $name: usize),+
        }

        #[doc = concat!("Where each feature of [`", stringify!($table), "`] stands in a row.")]
        pub const $columns: $columns_type = {
            #[allow(non_camel_case_types, reason = "the features' own names")]
            enum Position { $($name),+ }
            $columns_type { $($name: Position::$name as usize),+ }
        };
    };
    (@last $value:expr) => { $value };
    (@last $value:expr, $new_value:expr) => { $new_value };
}

pub(super) use feature_table;
