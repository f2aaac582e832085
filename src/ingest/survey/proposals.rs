//! What should stand in okuo.toml, beside the columns.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::GivenSettings;
use super::fits::{cell, quoted};
use super::habits::{PlaceholderCustomer, TakenBackLines, placeholders, taken_back};
use super::meaning::ColumnMeaning;
use super::profile::{ColumnProfile, NumericTime};
use super::roles::{Certainty, RoleChoice, Roles};
use super::values::{DateForm, quantity_of};
use super::words::fold;
use super::zones::{SameOffset, ZoneCandidate, ZoneEvidence, zone_evidence};
use crate::ingest::sample::TableSample;

/// A setting that is proposed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProposedSetting {
    /// Its place in okuo.toml: `input.time_zone`.
    pub path: String,
    /// Its value.
    pub value: Value,
    /// Whether it is set, and not only shown in a comment.
    pub is_set: bool,
    /// Why; may be empty.
    pub reason: String,
}

impl ProposedSetting {
    /// One that is set.
    pub(super) fn set(path: &str, value: Value, reason: &str) -> Self {
        Self {
            path: path.to_owned(),
            value,
            is_set: true,
            reason: reason.to_owned(),
        }
    }

    /// One that is shown in a comment.
    pub(super) fn shown(path: &str, value: Value, reason: &str) -> Self {
        Self {
            is_set: false,
            ..Self::set(path, value, reason)
        }
    }
}

/// Proposes settings for a table of ticket lines.
pub(super) struct Proposals<'a> {
    profiles: &'a [ColumnProfile],
    pub(super) sample: &'a TableSample,
    pub(super) roles: &'a Roles,
    pub(super) settings: Vec<ProposedSetting>,
    pub(super) sure: Vec<String>,
    pub(super) check: Vec<String>,
    /// The column whose signs say what was taken back, if it is not the one that was chosen.
    pub(super) signed: Option<RoleChoice>,
    /// Roles that are better not mapped.
    pub(super) left_out: Vec<ColumnMeaning>,
    /// What was said of dates whose order the sample does not tell.
    pub(super) open_dates: Option<String>,
}

/// Words of a name that say that a price is that of the whole line, folded.
const LINE_TOTALS: [&str; 16] = [
    "spend", "spent", "amount", "amt", "total", "umsatz", "betrag", "montant", "importe",
    "importo", "value", "revenue", "bedrag", "turnover", "omzet", "sales",
];

impl<'a> Proposals<'a> {
    pub(super) fn new(
        profiles: &'a [ColumnProfile],
        sample: &'a TableSample,
        roles: &'a Roles,
    ) -> Self {
        Self {
            profiles,
            sample,
            roles,
            settings: vec![],
            sure: vec![],
            check: vec![],
            signed: None,
            left_out: vec![],
            open_dates: None,
        }
    }

    /// Everything.
    pub(super) fn propose(&mut self, given: &GivenSettings) {
        self.propose_times(given);
        self.propose_encoding();
        self.propose_returns(given);
        self.propose_signed_amounts(given);
        self.propose_anonymous();
        self.judge_basket();
        self.judge_price();
    }

    /// What a table of ticket headers tells: times and customers.
    pub(super) fn propose_for_headers(&mut self, given: &GivenSettings) {
        self.propose_times(given);
        self.propose_encoding();
        self.propose_anonymous();
        for setting in &mut self.settings {
            if setting.path == "columns.time_of_day" {
                setting.path = "input.tickets.time_of_day".to_owned();
            }
        }
    }

    /// What lines tell whose customers and times stand in a table of headers.
    pub(super) fn propose_for_lines(&mut self, given: &GivenSettings) {
        self.propose_encoding();
        self.propose_returns(given);
        self.judge_price();
    }

    fn propose_times(&mut self, given: &GivenSettings) {
        if !given.paths.contains("input.time_format") && !given.paths.contains("input.day_zero") {
            self.propose_time_format();
        }
        self.propose_zone();
        self.propose_day_start(given);
    }

    fn profile(&self, role: ColumnMeaning) -> Option<&'a ColumnProfile> {
        self.profiles.get(self.roles.choice(role)?.position?)
    }

    fn propose_time_format(&mut self) {
        let Some(time) = self.profile(ColumnMeaning::Time) else {
            return;
        };
        let column = quoted(&time.name);
        let [day, month, either] = [
            DateForm::DayFirst,
            DateForm::MonthFirst,
            DateForm::DayOrMonthFirst,
        ]
        .map(|form| time.dates_in(form));
        match (day, month, either) {
            (0, 0, 0) => self.propose_numeric_time(time),
            (0, 0, _) => {
                let open = format!(
                    "in {column}, {} can be read day first or month first, and no value looked at settles it; \
                     okuo goes by all values, or by --time-format day-first or month-first",
                    time.examples.join(", ")
                );
                self.check.push(open.clone());
                self.open_dates = Some(open);
            }
            (_, 0, _) => self.propose_form(time, "day-first", day),
            (0, _, _) => self.propose_form(time, "month-first", month),
            _ => self.check.push(format!(
                "{column} has {day} dates that can only be day first and {month} that can only be month first: \
                 a spreadsheet may have swapped some. Export the column again as YYYY-MM-DD"
            )),
        }
    }

    fn propose_form(&mut self, time: &ColumnProfile, form: &str, evidence: usize) {
        let reason = format!(
            "{evidence} of the {} values that were looked at can be read in no other way, and none contradicts",
            time.values()
        );
        self.sure.push(format!(
            "the dates in {} are {form}: {reason}",
            quoted(&time.name)
        ));
        self.settings.push(ProposedSetting::set(
            "input.time_format",
            json!(form),
            &reason,
        ));
    }

    fn propose_numeric_time(&mut self, time: &ColumnProfile) {
        let (form, what) = match NumericTime::of(time) {
            Some(NumericTime::EpochSeconds) => ("epoch-s", "seconds since 1970"),
            Some(NumericTime::EpochMilliseconds) => ("epoch-ms", "milliseconds since 1970"),
            Some(NumericTime::Excel) => ("excel", "a spreadsheet's day numbers"),
            Some(NumericTime::DayNumber) => {
                return self.check.push(format!(
                    "{} has day numbers, such as {}: say which date day 0 is with --day-zero",
                    quoted(&time.name),
                    time.examples.join(", ")
                ));
            }
            Some(NumericTime::Compact) | None => return,
        };
        let reason = format!(
            "the numbers are {what}, such as {}",
            time.examples.join(", ")
        );
        self.settings.push(ProposedSetting::set(
            "input.time_format",
            json!(form),
            &reason,
        ));
        self.check.push(format!("{}: {reason}", quoted(&time.name)));
    }

    fn propose_zone(&mut self) {
        let Some(time) = self.profile(ColumnMeaning::Time) else {
            return;
        };
        let column = quoted(&time.name);
        let (candidate, what) = match zone_evidence(time.counts.keys().map(String::as_str)) {
            ZoneEvidence::NoInstants => return,
            ZoneEvidence::UtcMidnights => {
                return self.sure.push(format!(
                    "every time in {column} is a midnight in UTC: they are dates, and a time zone would move them to the day before"
                ));
            }
            ZoneEvidence::Instants => {
                return self.check.push(format!(
                    "the times in {column} are UTC or carry an offset: name the store's zone with --time-zone, for example Europe/Rome, \
                     or sales near midnight fall on the wrong day"
                ));
            }
            ZoneEvidence::SameOffset(same) => return self.propose_same_offset(&column, &same),
            ZoneEvidence::NaiveMidnights(zone) => return self.propose_utc_midnights(&column, zone),
            ZoneEvidence::Midnights(candidate) => (candidate, "is a midnight"),
            ZoneEvidence::Offsets(candidate) => (candidate, "has the offset"),
        };
        let ZoneCandidate { zone, is_certain } = candidate;
        let reason =
            format!("every time in {column} {what} in {zone} or a zone with the same hours");
        if is_certain {
            self.sure.push(reason.clone());
            self.settings.push(ProposedSetting::set(
                "input.time_zone",
                json!(zone),
                &reason,
            ));
        } else {
            self.check.push(format!(
                "{reason}, but also in others: name the store's zone with --time-zone"
            ));
            self.settings.push(ProposedSetting::shown(
                "input.time_zone",
                json!(zone),
                &reason,
            ));
        }
    }

    fn propose_same_offset(&mut self, column: &str, same: &SameOffset) {
        let (name, fixed) = (same.name(), same.fixed_zone());
        let found = format!(
            "every time in {column} that was looked at, from {} to {}, has the same offset, {name}",
            same.first, same.last
        );
        let all_year = fixed
            .as_ref()
            .map_or_else(String::new, |zone| format!(": --time-zone {zone}"));
        let (zone, which) = match same.changing {
            Some(zone) => (
                Some(zone.to_owned()),
                format!(
                    ", as in {zone} and in others: name the store's zone with --time-zone. Times from the other half of the year that have it too \
                     are shown by a clock that never changes{all_year}"
                ),
            ),
            None => (
                fixed.clone(),
                format!(
                    ", whatever the season: they are shown by a clock that never changes{all_year}. If the store's clocks do change, name its zone \
                     with --time-zone: then sales near midnight may fall on other days than the file says"
                ),
            ),
        };
        self.check.push(format!("{found}{which}"));
        let shown = zone.map(|zone| ProposedSetting::shown("input.time_zone", json!(zone), &found));
        self.settings.extend(shown);
    }

    fn propose_utc_midnights(&mut self, column: &str, zone: &str) {
        let reason = format!(
            "taken as UTC, every time in {column} is a midnight in {zone} or a zone with the same hours, in summer and in winter"
        );
        self.sure.push(reason.clone());
        for (path, value) in [("input.time_zone", json!(zone)), ("input.utc", json!(true))] {
            self.settings
                .push(ProposedSetting::set(path, value, &reason));
        }
    }

    /// A time of day is read only where it matters: with a `day_start`, or a zone.
    fn propose_day_start(&mut self, given: &GivenSettings) {
        let apart = self.profile(ColumnMeaning::TimeOfDay);
        let matters = ["input.day_start", "input.utc", "input.time_zone"];
        if let Some(apart) = apart
            && !matters.iter().any(|path| given.paths.contains(*path))
        {
            self.left_out.push(ColumnMeaning::TimeOfDay);
            let reason =
                "not set: the time of day matters only with day_start, or where times are UTC";
            self.settings.push(ProposedSetting::shown(
                "columns.time_of_day",
                json!(apart.name),
                reason,
            ));
        }
        let times = apart.or_else(|| self.profile(ColumnMeaning::Time));
        let Some(until) = times.and_then(ColumnProfile::closing_hour) else {
            return;
        };
        if given.paths.contains("input.day_start") {
            return;
        }
        let reason = format!(
            "sales go on after midnight, until {until} o'clock: day_start counts them to the evening before"
        );
        self.check.push(reason.clone());
        self.settings.push(ProposedSetting::shown(
            "input.day_start",
            json!(until + 1),
            &reason,
        ));
    }

    /// The encoding that a format found, by its note.
    fn propose_encoding(&mut self) {
        let found = self.sample.notes.iter().find_map(|note| {
            let (_, name) = note.split_once("set encoding = \"")?;
            Some(name.split_once('"')?.0)
        });
        if let Some(name) = found {
            let reason = "the text is not UTF-8, and this fits best: check that letters with accents are right";
            self.check.push(format!(
                "the encoding is probably {name}: check that letters with accents are right"
            ));
            self.settings
                .push(ProposedSetting::set("input.encoding", json!(name), reason));
        }
    }

    /// How many rows with a value of a column have a negative quantity, and how many there are.
    fn negative_rows(&self, position: usize) -> BTreeMap<&'a str, (usize, usize)> {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let quantity = self.profile(ColumnMeaning::Quantity);
        for row in &self.sample.rows {
            let Some(value) = cell(row, position) else {
                continue;
            };
            let is_negative = quantity
                .and_then(|quantity| cell(row, quantity.position))
                .and_then(quantity_of)
                .is_some_and(|number| number < 0.0);
            let (negative, all) = counts.entry(value).or_default();
            *negative += usize::from(is_negative);
            *all += 1;
        }
        counts
    }

    fn propose_returns(&mut self, given: &GivenSettings) {
        let is_given = ["input.where", "input.returns"]
            .iter()
            .any(|path| given.paths.contains(*path));
        for profile in self.profiles {
            if self
                .roles
                .choices
                .iter()
                .any(|choice| choice.position == Some(profile.position))
            {
                continue;
            }
            let negative = self.negative_rows(profile.position);
            let is_negative = |value: &str| {
                negative
                    .get(value)
                    .is_some_and(|(negative, all)| negative * 10 >= all * 9)
            };
            match taken_back(profile, is_negative) {
                None => self.propose_void_flag(profile, is_given),
                Some(TakenBackLines::Returns { column, words }) => {
                    let lines = format!("{column}={}", words.join(","));
                    let reason = format!(
                        "{} of lines with these words take back what was sold",
                        quoted(&column)
                    );
                    self.check.push(format!(
                        "lines with {lines} take back what was sold: okuo subtracts them from the customer's day"
                    ));
                    self.add_rows("input.returns", lines, &reason);
                }
                Some(TakenBackLines::NoSales { column, words }) => {
                    let lines = format!("{column}!={}", words.join(","));
                    let reason = format!(
                        "{} says that these were no sales in the end",
                        quoted(&column)
                    );
                    self.check.push(format!("only lines with {lines} are read"));
                    self.add_rows("input.where", lines, &reason);
                }
            }
        }
        if let Some(quantity) = self.profile(ColumnMeaning::Quantity)
            && quantity.negative() > 0
        {
            self.sure.push(format!(
                "{} of the {} values of {} that were looked at are below 0: they take back what the customer bought on that day",
                quantity.negative(),
                quantity.values(),
                quoted(&quantity.name)
            ));
        }
    }

    /// Sets a condition on rows, beside those that another column sets.
    pub(super) fn add_rows(&mut self, path: &str, condition: String, reason: &str) {
        let mut settings = self.settings.iter_mut();
        if let Some(setting) = settings.find(|setting| setting.path == path)
            && let Value::Array(conditions) = &mut setting.value
        {
            conditions.push(condition.into());
            setting.reason = format!("{}; {reason}", setting.reason);
            return;
        }
        self.settings
            .push(ProposedSetting::set(path, json!([condition]), reason));
    }

    /// Where the sign of an amount alone says what was taken back, the amount is taken for the
    /// quantity: only signs count, and amounts of a customer's day and product sum to nothing where
    /// a sale was voided, as pieces do.
    fn propose_signed_amounts(&mut self, given: &GivenSettings) {
        let quantity = self.profile(ColumnMeaning::Quantity);
        let says_returns = |setting: &ProposedSetting| setting.path == "input.returns";
        if quantity.is_some_and(|quantity| quantity.negative() > 0)
            || given.paths.contains("input.returns")
            || self.settings.iter().any(says_returns)
        {
            return;
        }
        let Some(amount) = self
            .profiles
            .iter()
            .find(|profile| is_signed_amount(profile))
        else {
            return;
        };
        let (name, negative, values) = (quoted(&amount.name), amount.negative(), amount.values());
        let found = format!("{negative} of {values} values of {name} are below 0");
        let never = quantity.map_or_else(String::new, |quantity| {
            format!(", where {} never is", quoted(&quantity.name))
        });
        let is_whole = amount.nulls == 0 && amount.zeros() * MOST_ZEROS <= values;
        if given.paths.contains("columns.quantity") || !is_whole {
            self.check.push(format!(
                "{found}{never}: if these lines take back what was sold, say so with --quantity {0} (then lines with 0 or nothing in {0} \
                 are no sales), or name them with --returns",
                amount.name
            ));
            return;
        }
        self.check.push(format!(
            "{found}{never}: taken for lines that take back what was sold, by quantity = {name}, of which only the sign counts. \
             If these are discounts, name the column of pieces with --quantity"
        ));
        self.signed = Some(RoleChoice {
            is_in_headers: false,
            role: ColumnMeaning::Quantity,
            column: amount.name.clone(),
            certainty: Certainty::Check,
            reason: format!("{found}{never}"),
            alternatives: vec![],
            position: Some(amount.position),
        });
    }

    fn propose_anonymous(&mut self) {
        let Some(customer) = self.profile(ColumnMeaning::Customer) else {
            return;
        };
        if customer.nulls > 0 {
            self.sure.push(format!(
                "{} of the {} lines that were looked at have no customer in {}: they count for what the store sells, and for no customer",
                customer.nulls,
                customer.rows,
                quoted(&customer.name)
            ));
        }
        let mut names = vec![];
        for PlaceholderCustomer {
            value,
            share,
            times,
            is_known_word,
        } in placeholders(customer)
        {
            let percent = 100.0 * share;
            if is_known_word {
                self.check.push(format!(
                    "the customer \"{value}\" has {percent:.0} % of the lines that were looked at: taken for sales without a customer"
                ));
                names.push(value);
            } else {
                self.check.push(format!(
                    "the customer \"{value}\" has {percent:.0} % of the lines that were looked at, {times:.0} times as many as the next: is it a cashier's card? \
                     Then add it to anonymous"
                ));
            }
        }
        if !names.is_empty() {
            let reason = "these stand for customers without a card";
            self.settings.push(ProposedSetting::set(
                "input.anonymous",
                json!(names),
                reason,
            ));
        }
    }

    /// Quantities are netted within a ticket. Where returns have tickets of their own, that would
    /// keep what was returned on the same day.
    fn judge_basket(&mut self) {
        let Some(basket) = self.profile(ColumnMeaning::Basket) else {
            return;
        };
        let tickets = self.negative_rows(basket.position);
        let with_returns = tickets.values().filter(|(negative, _)| *negative > 0);
        let (apart, all) = with_returns.fold((0, 0), |(apart, all), (negative, lines)| {
            (apart + usize::from(negative == lines), all + 1)
        });
        if all > 0 && apart * 2 > all {
            self.left_out.push(ColumnMeaning::Basket);
            let reason = "not set: returns have tickets of their own, and would not be seen to take back what was sold";
            self.settings.push(ProposedSetting::shown(
                "columns.basket",
                json!(basket.name),
                reason,
            ));
        }
    }

    /// The price is that of one piece.
    fn judge_price(&mut self) {
        let Some(price) = self.profile(ColumnMeaning::Price) else {
            return;
        };
        let name = fold(&price.name);
        if !name.contains("unit") && LINE_TOTALS.iter().any(|word| name.contains(word)) {
            self.left_out.push(ColumnMeaning::Price);
            let reason =
                "not set: it looks like the total of a line, and okuo wants the price of one piece";
            self.settings.push(ProposedSetting::shown(
                "columns.price",
                json!(price.name),
                reason,
            ));
        }
    }
}

/// Words of a name whose amounts below 0 take nothing back, folded.
const NO_AMOUNTS: [&str; 20] = [
    "disc", "sconto", "scont", "rabat", "remise", "descuent", "descont", "korting", "rebate",
    "coupon", "promo", "tax", "mwst", "vat", "change", "margin", "marge", "balance", "saldo",
    "saving",
];

/// Of so many amounts at most one is 0 where the column is taken for the quantity.
const MOST_ZEROS: usize = 100;

/// Of so many amounts at most one is below 0, or they are no amounts of sales.
const MOST_NEGATIVE: usize = 3;

/// Whether a column has what was paid for a line, less than 0 on few of the lines.
fn is_signed_amount(profile: &ColumnProfile) -> bool {
    let name = fold(&profile.name);
    let is_price = profile.meaning.map(|name| name.meaning) == Some(ColumnMeaning::Price);
    let is_amount = is_price || LINE_TOTALS.iter().any(|word| name.contains(word));
    let negative = profile.negative();
    is_amount
        && !NO_AMOUNTS.iter().any(|word| name.contains(word))
        && negative > 0
        && negative * MOST_NEGATIVE <= profile.values()
        && profile.are_plain_numbers()
}
