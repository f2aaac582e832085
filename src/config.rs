//! What was typed becomes something checked: okuo.toml < `OKUO_*` environment < flags. Nothing
//! below sees a raw flag.
//!
//! A setting is declared once, with [`section!`](crate::settings), in the struct of its table:
//! `[columns]`, `[input]` and the top of the file here; `[rule]`, `[offers]` and `[training]` in
//! the rooms that they are for. [`declared`] lists all settings with what follows from their
//! places, [`flags`] makes arguments of them, and a [`Layer`] has what was given, key by key, with
//! its source. Layers are put over each other and then checked, once.

mod declared;
mod document;
pub mod flags;
mod layer;
mod machine;
mod tables;
#[cfg(test)]
mod tests;
mod values;

use serde::Serialize;

pub use declared::{DeclaredSetting, SettingFlag, declared, keys};
pub use document::{WrittenSetting, document};
pub use layer::{Layer, SettingInForce, SettingSource};
pub(crate) use machine::half_of_memory;
use tables::TableUris;
pub use tables::{
    CustomerTableSettings, MailingSettings, ProductTableSettings, TicketTableSettings,
};
pub use values::{LogFormat, MemorySize, MetricsFormat};

use crate::artifact::VerifyKey;
use crate::calendar::{Day, StoreClock};
use crate::error::{Error, Result};
use crate::guards::GuardSettings;
use crate::ingest::{
    ColumnAlternatives, ColumnNames, ColumnRole, DecidedForms, InputOptions, LoadedTables, Quotes,
    RowFilter, TimeFormat, check_encoding,
};
use crate::models::{BudgetChoice, Parameters};
use crate::offers::OfferParameters;
use crate::publish::promotion::PromotionPolicy;
use crate::recurrence::Rule;
use crate::settings::{Allowed, Scope, section};

/// The name of the configuration file that is read if none is named.
pub const FILE_NAME: &str = "okuo.toml";

/// How many days of history are looked at by default: two of each season.
pub const HISTORY_DAYS: u32 = 730;

section! {
    /// Everything that okuo.toml may say.
    pub struct AllSettings {
        /// What the columns of the tickets are called
        #[setting(
            default = ColumnSettings::default(),
            flag(Scope::Tickets),
            heading("Input")
        )]
        pub columns: ColumnSettings,
        /// Where the tickets are, and how they are read
        #[setting(default = InputSettings::default(), flag(Scope::Tickets), heading("Input"))]
        pub input: InputSettings,
        /// Which customers are recurrent
        #[setting(default = Rule::default(), flag(Scope::Tickets), heading("Recurrence rule"))]
        pub rule: Rule,
        /// Who may be mailed, and which segment customers are in
        #[setting(default = MailingSettings::default())]
        pub customers: MailingSettings,
        /// Which likely products are offered, to whom and when
        #[setting(default = OfferParameters::default())]
        pub offers: OfferParameters,
        /// What a feed may be like: a night's run that finds it otherwise publishes nothing
        #[setting(default = GuardSettings::default())]
        pub guards: GuardSettings,
        /// How models are fitted
        #[setting(default = Parameters::default())]
        pub training: Parameters,
        /// Registry of models: a folder or prefix, local or s3://
        #[setting(default = "models".into(), flag(Scope::Registry), value("URI"))]
        pub registry: String,
        /// Public key of minisign (it begins with RW): a model whose file is not signed by it is not used
        #[setting(
            default = None,
            default_note("every model is used"),
            flag(Scope::Tickets),
            value("KEY")
        )]
        pub verify_key: Option<String>,
        /// File with the secret key of minisign, without a password, that signs new models
        #[setting(
            default = None,
            default_note("models are not signed"),
            flag(Scope::Training),
            value("FILE")
        )]
        pub sign_key: Option<String>,
        /// Where the night's tables are published: a folder or prefix, local or s3://
        #[setting(default = None, flag(Scope::Publishing), short('o'), value("URI"))]
        pub output: Option<String>,
        /// When a new model replaces the promoted one: if-better, always or never
        #[setting(
            default = PromotionPolicy::default(),
            flag(Scope::Training),
            value("WHEN")
        )]
        pub promote: PromotionPolicy,
        /// Learn from the offers that are published below --output, and from the tickets that followed,
        /// how the offers of the mix are divided among its strategies
        #[setting(default = false, flag(Scope::Training), value("BOOL"))]
        pub lift: bool,
        /// Seconds that fitting may take on a machine of 2 threads: rows and trees are cut down to it
        #[setting(
            default = None,
            default_note("all rows and trees"),
            allowed(Allowed::AtLeast(1.0)),
            flag(Scope::Training),
            value("SECONDS"),
            hint("write seconds, such as 30; without it, models are fitted on all rows and trees that [training] allows")
        )]
        pub budget: Option<f64>,
        /// Number of threads; results do not depend on it
        #[setting(
            default = None,
            default_note("one a core"),
            allowed(Allowed::Between(1.0, 1_024.0)),
            flag(Scope::Computing),
            value("N"),
            hint("leave it out for one a core; results do not depend on it")
        )]
        pub threads: Option<usize>,
        /// Memory that the history may take, such as 4GB, at least 100MB. A larger history is set
        /// aside in TMPDIR and read part by part
        #[setting(
            default = None,
            default_note("as much as it needs"),
            allowed(Allowed::AtLeast(1e8)),
            flag(Scope::Tickets),
            value("SIZE"),
            hint("write a number and a unit, such as 4GB or 512MiB; without it, a history takes as much memory as it needs")
        )]
        pub memory_limit: Option<MemorySize>,
        /// How lines on stderr are written: text for people, or json for a collector of logs
        #[setting(
            default = LogFormat::Text,
            flag(Scope::Computing),
            value("text|json")
        )]
        pub log_format: LogFormat,
        /// A line on stderr with what a run measured of itself, when it ends: none, or emf for
        /// CloudWatch
        #[setting(
            default = MetricsFormat::None,
            flag(Scope::Computing),
            value("none|emf")
        )]
        pub metrics: MetricsFormat,
    }
}

section! {
    /// `[columns]`. Each may have several names, which are tried in order in each object.
    pub struct ColumnSettings {
        /// Column of the customer's id; as all columns, by name or by number, such as '#1'. May be
        /// given several times: the names are tried in order in each object
        #[setting(default = ColumnNames::default().customer, value("COLUMN"), undivided())]
        pub customer: ColumnAlternatives,
        /// Column of the product's id
        #[setting(default = ColumnNames::default().product, value("COLUMN"), undivided())]
        pub product: ColumnAlternatives,
        /// Column of the time
        #[setting(default = ColumnNames::default().time, value("COLUMN"), undivided())]
        pub time: ColumnAlternatives,
        /// Column of the time of day, where it stands apart from the date
        #[setting(default = None, value("COLUMN"), undivided())]
        pub time_of_day: Option<ColumnAlternatives>,
        /// Column of the quantity; what is less than 0 takes back what was sold
        #[setting(
            default = None,
            default_note("quantity, if it exists"),
            value("COLUMN"),
            undivided()
        )]
        pub quantity: Option<ColumnAlternatives>,
        /// Column of the ticket: quantities are netted within it
        #[setting(default = None, value("COLUMN"), undivided())]
        pub basket: Option<ColumnAlternatives>,
        /// Column of the price of one piece
        #[setting(default = None, value("COLUMN"), undivided())]
        pub price: Option<ColumnAlternatives>,
        /// Column of the product's category
        #[setting(default = None, value("COLUMN"), undivided())]
        pub category: Option<ColumnAlternatives>,
        /// Column of the store
        #[setting(default = None, value("COLUMN"), undivided())]
        pub store: Option<ColumnAlternatives>,
    }
}

section! {
    /// `[input]`.
    pub struct InputSettings {
        /// Tickets: a file, a folder, a prefix (all tables below it), a glob, or - for the standard
        /// input; local or s3://
        #[setting(default = vec![], long("input"), short('i'), value("URI"), spaces(), first())]
        pub paths: Vec<String>,
        /// Time zone of the store, such as America/New_York: it decides on which day a sale falls
        #[setting(default = "UTC".into(), value("ZONE"))]
        pub time_zone: String,
        /// Times without a zone are UTC, not store-local
        #[setting(default = false, value("BOOL"))]
        pub utc: bool,
        /// Hour at which the store's day begins: earlier sales belong to the day before
        #[setting(
            default = 0,
            allowed(Allowed::Between(0.0, 23.0)),
            value("HOUR"),
            hint("sales before this hour belong to the day before: 4 where the till closes after midnight, else 0")
        )]
        pub day_start: u8,
        /// Largest share of bad lines that is accepted
        #[setting(
            default = 0.001,
            allowed(Allowed::SHARE),
            value("SHARE"),
            hint("it is a share: 0.001 allows one bad line in a thousand")
        )]
        pub max_bad_share: f64,
        /// Days of history to use, at least 90: older lines are counted and left out
        #[setting(
            default = HISTORY_DAYS,
            // Tables have counts of 90 days.
            allowed(Allowed::Between(90.0, 36_500.0)),
            value("DAYS"),
            hint("it says how long ago a purchase may be to count; leave it out for two years")
        )]
        pub history_days: u32,
        /// Id of a product that does not count as a purchase, such as fuel or bags; may be given several
        /// times
        #[setting(default = vec![], long("exclude-product"), value("ID"))]
        pub exclude_products: Vec<String>,
        /// Id that stands for customers without a card, such as 0: its sales count for what the store
        /// sells, and for no customer; may be given several times
        #[setting(default = vec![], value("ID"))]
        pub anonymous: Vec<String>,
        /// Id of a customer who stays, although it looks like a placeholder or a shared card; may be
        /// given several times
        #[setting(default = vec![], long("keep-customer"), value("ID"))]
        pub keep_customers: Vec<String>,
        /// Rows to read: COLUMN=VALUE,… or COLUMN!=VALUE,…; a value with a comma is quoted:
        /// 'store="Rome, east"'; may be given several times, and rows must meet all
        #[setting(default = vec![], value("COLUMN=VALUE"), undivided())]
        pub r#where: Vec<String>,
        /// Rows that take back what was sold, where the quantity's sign does not tell:
        /// COLUMN=VALUE,… such as type=VOID,RETURN
        #[setting(default = vec![], value("COLUMN=VALUE"), undivided())]
        pub returns: Vec<String>,
        /// How times are written where it is not certain: day-first, month-first, epoch-s, epoch-ms,
        /// excel, or a pattern such as %d.%m.%Y
        #[setting(default = None, default_note("what all values together tell"), value("FORM"))]
        pub time_format: Option<String>,
        /// Date of day 0, where days are numbered
        #[setting(default = None, value("DATE"))]
        pub day_zero: Option<String>,
        /// How text is encoded where it is not UTF-8, such as cp1252
        #[setting(default = None, default_note("UTF-8, or what the byte-order mark says"), value("NAME"))]
        pub encoding: Option<String>,
        /// What quotes in CSV are: auto, they may enclose a field, or none, they are text
        #[setting(default = Quotes::Auto, value("auto|none"))]
        pub quotes: Quotes,
        /// Headers of tickets, where who bought and when stand apart from the lines
        #[setting(
            default = TicketTableSettings::default(),
            flag(Scope::Tickets),
            heading("More tables")
        )]
        pub tickets: TicketTableSettings,
        /// Which person each customer's id belongs to, where tickets name another id
        #[setting(
            default = CustomerTableSettings::default(),
            flag(Scope::Tickets),
            heading("More tables")
        )]
        pub customers: CustomerTableSettings,
        /// What products are called
        #[setting(
            default = ProductTableSettings::default(),
            flag(Scope::Tickets),
            heading("More tables")
        )]
        pub products: ProductTableSettings,
    }
}

/// Everything that a command needs, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Files, folders, prefixes or globs.
    pub inputs: Vec<String>,
    /// How input is read.
    pub input: InputOptions,
    /// How many days up to a night are looked at.
    pub history_days: u32,
    /// The recurrence rule: what is given of it, the rest by default. A job that has a model takes
    /// the rest from that: see [`Config::for_model`].
    pub rule: Rule,
    /// How models are fitted.
    pub parameters: Parameters,
    /// How offers are made.
    pub offers: OfferParameters,
    /// What a feed may be like.
    pub guards: GuardSettings,
    /// Where models are.
    pub registry: String,
    /// The key by which the signatures of models are checked, if they are.
    pub verify_key: Option<VerifyKey>,
    /// The file of the key that signs new models, if any does.
    pub sign_key: Option<String>,
    /// Where predictions go.
    pub output: Option<String>,
    /// When a new model is promoted.
    pub promote: PromotionPolicy,
    /// Whether the mix of offers is learned from those that were published.
    pub lift: bool,
    /// What was chosen for a budget of time, where there is one; the parameters have it.
    pub budget: Option<BudgetChoice>,
    /// Threads to compute on; `None` for one a core.
    pub threads: Option<usize>,
    /// How much memory a history may take, in bytes; `None` for as much as it needs.
    pub memory_limit: Option<u64>,
    /// How lines on stderr are written.
    pub log_format: LogFormat,
    /// How a run's figures about itself are told.
    pub metrics: MetricsFormat,
    /// What file, environment and flags say. All else above is default.
    pub given: Layer,
}

impl Config {
    /// Checks the settings that were given. Those that were not have their defaults.
    fn new(given: Layer) -> Result<Self> {
        let settings = given.values()?;
        settings.check_ranges("")?;
        let AllSettings {
            columns,
            input,
            rule,
            customers: mailing,
            offers,
            guards,
            training,
            registry,
            verify_key,
            sign_key,
            output,
            promote,
            lift,
            budget,
            threads,
            memory_limit,
            log_format,
            metrics,
        } = settings;
        let InputSettings {
            paths,
            time_zone,
            utc,
            day_start,
            max_bad_share,
            history_days,
            exclude_products,
            anonymous,
            keep_customers,
            r#where,
            returns,
            time_format,
            day_zero,
            encoding,
            quotes,
            tickets,
            customers,
            products,
        } = input;
        if let Some(name) = &encoding {
            check_encoding(name)?;
        }
        let mut columns = checked_columns(columns)?;
        let tables = tables::checked(tickets, customers, products, mailing, &mut columns)?;
        let training = training.check()?;
        let (parameters, budget) = match budget {
            Some(seconds) => {
                let (parameters, choice) = training.within_budget(seconds);
                (parameters, Some(choice))
            }
            None => (training, None),
        };
        Ok(Self {
            inputs: paths,
            input: InputOptions {
                is_netted: false,
                columns,
                clock: StoreClock::new(&time_zone, utc, day_start)?,
                exclude_products,
                max_bad_share,
                may_be_empty: false,
                anonymous,
                keep_customers,
                filters: filters(&r#where, "--where")?,
                returns: filters(&returns, "--returns")?,
                time_format: time_format.as_deref().map(str::parse).transpose()?,
                is_zone_given: given.has("input.time_zone"),
                decided: DecidedForms::default(),
                day_zero: day_zero.map(|date| day(&date)).transpose()?,
                encoding,
                quotes,
                tables,
                loaded: LoadedTables::default(),
                settings_file: given.file().map(str::to_owned),
            },
            history_days,
            rule: rule.check()?,
            parameters,
            offers: offers.check()?,
            guards: guards.check()?,
            registry,
            verify_key: verify_key.as_deref().map(VerifyKey::parse).transpose()?,
            sign_key,
            output,
            promote,
            lift,
            budget,
            threads,
            memory_limit: memory_limit.as_ref().and_then(MemorySize::bytes),
            log_format,
            metrics,
            given,
        })
    }

    /// The same for a model, whose rule this is: what was not given of the rule is as in the
    /// model's. A rule that was put in the place of the checked one stays as it is.
    ///
    /// # Errors
    /// If what was given and the model's rule do not go together.
    pub fn for_model(&self, rule: Rule) -> Result<Self> {
        let mut config = self.clone();
        if self.rule == self.given.rule_on(Rule::default())? {
            config.rule = self.given.rule_on(rule)?.check()?;
        }
        Ok(config)
    }

    /// The inputs.
    ///
    /// # Errors
    /// If there is none.
    pub fn required_inputs(&self) -> Result<&[String]> {
        if self.inputs.is_empty() {
            return Err(Error::request("no input was named")
                .hint("give --input PATH (a file, a folder, a glob or s3://bucket/prefix), or [input] paths in okuo.toml"));
        }
        Ok(&self.inputs)
    }

    /// What a manifest keeps of it: nothing secret is in it.
    #[must_use]
    pub fn summary(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct Summary<'a> {
            inputs: &'a [String],
            #[serde(flatten)]
            columns: ColumnSettings,
            time_zone: &'a str,
            utc: bool,
            day_start: u8,
            history_days: u32,
            max_bad_share: f64,
            exclude_products: &'a [String],
            anonymous: &'a [String],
            keep_customers: &'a [String],
            r#where: Vec<String>,
            returns: Vec<String>,
            time_format: Option<String>,
            day_zero: Option<Day>,
            encoding: Option<&'a str>,
            quotes: Quotes,
            #[serde(flatten)]
            tables: TableUris<'a>,
            rule: Rule,
            offers: &'a OfferParameters,
            guards: &'a GuardSettings,
        }
        let input = &self.input;
        serde_json::to_value(Summary {
            inputs: &self.inputs,
            columns: ColumnSettings::of(&input.columns),
            time_zone: input.clock.zone(),
            utc: input.clock.utc(),
            day_start: input.clock.day_start(),
            history_days: self.history_days,
            max_bad_share: input.max_bad_share,
            exclude_products: &input.exclude_products,
            anonymous: &input.anonymous,
            keep_customers: &input.keep_customers,
            r#where: input.filters.iter().map(RowFilter::to_string).collect(),
            returns: input.returns.iter().map(RowFilter::to_string).collect(),
            time_format: input.time_format.as_ref().map(TimeFormat::to_string),
            day_zero: input.day_zero,
            encoding: input.encoding.as_deref(),
            quotes: input.quotes,
            tables: TableUris::of(&input.tables),
            rule: self.rule,
            offers: &self.offers,
            guards: &self.guards,
        })
        .unwrap_or_default()
    }
}

impl ColumnSettings {
    /// The settings that give these columns.
    fn of(columns: &ColumnNames) -> Self {
        Self {
            customer: columns.customer.clone(),
            product: columns.product.clone(),
            time: columns.time.clone(),
            time_of_day: columns.time_of_day.clone(),
            quantity: columns.quantity.clone(),
            basket: columns.basket.clone(),
            price: columns.price.clone(),
            category: columns.category.clone(),
            store: columns.store.clone(),
        }
    }
}

fn filters(texts: &[String], flag: &str) -> Result<Vec<RowFilter>> {
    texts
        .iter()
        .map(|text| RowFilter::parse(text, flag))
        .collect()
}

fn day(date: &str) -> Result<Day> {
    date.parse().map_err(|_| {
        Error::request(format!("--day-zero should be a date, but is \"{date}\""))
            .hint("write it as YYYY-MM-DD: the date of day 0")
    })
}

/// Refuses one column for two things.
fn checked_columns(columns: ColumnSettings) -> Result<ColumnNames> {
    let default = ColumnNames::default();
    let columns = ColumnNames {
        customer: columns.customer,
        product: columns.product,
        time: columns.time,
        time_of_day: columns.time_of_day,
        quantity_required: columns.quantity.is_some(),
        quantity: columns.quantity.or_else(|| default.quantity.clone()),
        basket: columns.basket,
        price: columns.price,
        category: columns.category,
        store: columns.store,
        ..default
    };
    let mut taken: Vec<(&str, ColumnRole)> = vec![];
    for role in ColumnRole::ALL {
        for name in columns
            .of(role)
            .into_iter()
            .flat_map(ColumnAlternatives::names)
        {
            let other = taken
                .iter()
                .find(|(known, other)| known == name && *other != role);
            if let Some((_, other)) = other {
                return Err(Error::request(format!(
                    "the column \"{name}\" cannot be both for {} and for {}",
                    other.flag(),
                    role.flag()
                ))
                .hint(format!(
                    "give each a column of its own with {} and {}, or under [columns]",
                    other.flag(),
                    role.flag()
                )));
            }
            taken.push((name, role));
        }
    }
    Ok(columns)
}
