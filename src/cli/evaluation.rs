//! An evaluation as text for people.

mod offers;

use super::table::{Align, Column, Table, figure};
use crate::eval::{Contender, Difference, Evaluation, Figure, FigureBasis, Figures, OKUO};

/// A figure that has a column: its heading, its value, and its decimals.
type FigureColumn = (&'static str, fn(&Figures) -> Option<f64>, usize);

const TIMING: [FigureColumn; 8] = [
    ("mae_all", |f| f.mae_all, 4),
    ("mae", |f| f.mae, 4),
    ("median_ae", |f| f.median_ae, 4),
    ("within_1", |f| f.within_1, 4),
    ("within_3", |f| f.within_3, 4),
    ("bias", |f| f.bias, 4),
    ("coverage_80", |f| f.coverage_80, 4),
    ("width_80", |f| f.width_80, 2),
];

const BASKET: [FigureColumn; 8] = [
    ("ndcg@10", |f| f.ndcg_at_10, 4),
    ("recall@10", |f| f.recall_at_10, 4),
    ("precision@10", |f| f.precision_at_10, 4),
    ("hit@10", |f| f.hit_at_10, 4),
    ("ndcg@5", |f| f.ndcg_at_5, 4),
    ("recall@5", |f| f.recall_at_5, 4),
    ("ndcg@20", |f| f.ndcg_at_20, 4),
    ("recall@20", |f| f.recall_at_20, 4),
];

/// The figures of all contenders: when they come, what they buy, how good the probabilities are,
/// and what okuo gains. A `*` marks the best baseline.
pub(super) fn evaluation_text(evaluation: &Evaluation) -> String {
    let mut parts = vec![heading(evaluation)];
    parts.extend(section(
        evaluation,
        "when they come (days)",
        &[Figure::MaeAll, Figure::Mae],
        &TIMING,
    ));
    parts.extend(section(
        evaluation,
        "what they buy",
        &[Figure::NdcgAt10],
        &BASKET,
    ));
    let okuo = evaluation
        .contenders
        .iter()
        .find(|contender| contender.name == OKUO);
    if let Some(okuo) = okuo {
        parts.extend(probabilities(&okuo.figures));
        parts.extend(bases(&okuo.figures));
        parts.extend(gains(okuo, &evaluation.contenders));
    }
    parts.extend(evaluation.offers.as_ref().map(offers::offers_text));
    parts.join("\n")
}

fn heading(evaluation: &Evaluation) -> String {
    let figures = evaluation
        .contenders
        .first()
        .map(|contender| contender.figures.clone())
        .unwrap_or_default();
    let nights: Vec<String> = evaluation.nights.iter().map(ToString::to_string).collect();
    let plural = if nights.len() == 1 { "" } else { "s" };
    format!(
        "{} predictions on {} night{plural} ({}); {} of them were seen to return within 28 days\n",
        figures.rows,
        nights.len(),
        nights.join(", "),
        figures.returned
    )
}

/// One row for each contender that has any of the columns; the mark goes by the first of the main
/// figures that there is.
fn section(
    evaluation: &Evaluation,
    title: &str,
    main: &[Figure],
    columns: &[FigureColumn],
) -> Option<String> {
    let best = main
        .iter()
        .find_map(|figure| evaluation.best_baselines.get(figure));
    let mut table = figures_table(columns.len());
    table.row(std::iter::once(title).chain(columns.iter().map(|(heading, ..)| *heading)));
    for contender in &evaluation.contenders {
        let values = columns
            .iter()
            .map(|(_, value, decimals)| (value(&contender.figures), *decimals));
        if values.clone().all(|(value, _)| value.is_none()) {
            continue;
        }
        let mark = if best == Some(&contender.name) {
            " *"
        } else {
            ""
        };
        let cells = values.map(|(value, decimals)| figure(value, decimals));
        table.row(std::iter::once(format!("{}{mark}", contender.name)).chain(cells));
    }
    (table.len() > 1).then(|| table.to_string())
}

fn probabilities(f: &Figures) -> Option<String> {
    let main = [
        f.brier_return_7d,
        f.brier_return_14d,
        f.brier_return_28d,
        f.log_loss_products,
    ];
    if main.iter().all(Option::is_none) {
        return None;
    }
    let rows = [
        (
            "Brier score",
            [
                f.brier_return_7d,
                f.brier_return_14d,
                f.brier_return_28d,
                None,
            ],
        ),
        (
            "… of the observed rate",
            [f.brier_base_7d, f.brier_base_14d, f.brier_base_28d, None],
        ),
        (
            "calibration error",
            [
                f.ece_return_7d,
                f.ece_return_14d,
                f.ece_return_28d,
                f.ece_products,
            ],
        ),
        ("log loss", [None, None, None, f.log_loss_products]),
    ];
    let mut table = figures_table(4);
    table.row(["probabilities", "7 days", "14 days", "28 days", "products"]);
    for (name, values) in rows {
        let cells = values.map(|value| figure(value, 4));
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    Some(table.to_string())
}

/// What figures rest on, where some rest on fewer nights than others, or on a part of the intervals.
fn bases(f: &Figures) -> Option<String> {
    let of = |name: &str| f.rests_on.get(name).copied();
    let is_partial = |basis: &FigureBasis| basis.nights < f.nights;
    let tells = f.rests_on.values().any(is_partial) || of("coverage_80").is_some();
    if !tells {
        return None;
    }
    let mut table = figures_table(3);
    table.row(["what they rest on", "predictions", "customers", "nights"]);
    let all = FigureBasis {
        predictions: f.rows,
        customers: f.customers,
        nights: f.nights,
    };
    let rows = [
        ("all", Some(all)),
        ("mae, baskets", of("mae")),
        ("mae_all", of("mae_all")),
        ("coverage_80", of("coverage_80")),
        ("return within 7 days", of("return_7d")),
        ("return within 14 days", of("return_14d")),
        ("return within 28 days", of("return_28d")),
    ];
    for (name, basis) in rows {
        if let Some(basis) = basis {
            let counts = [basis.predictions, basis.customers, basis.nights];
            let cells = counts.map(|count| count.to_string());
            table.row(std::iter::once(name.to_owned()).chain(cells));
        }
    }
    Some(table.to_string())
}

fn gains(okuo: &Contender, contenders: &[Contender]) -> Option<String> {
    if okuo.differences.is_empty() {
        return None;
    }
    let mut columns = figure_columns(6);
    columns.push(Column::fixed(Align::Left, "better".len()));
    columns.push(Column::fitted(Align::Left));
    let mut table = Table::new(columns);
    table.row([
        "okuo beside",
        "okuo",
        "95 % interval",
        "other",
        "difference",
        "95 % interval",
    ]);
    for difference in &okuo.differences {
        table.row(gain(difference, okuo, contenders));
    }
    Some(table.to_string())
}

fn gain(difference: &Difference, okuo: &Contender, contenders: &[Contender]) -> [String; 8] {
    let Difference {
        figure: of,
        to,
        difference,
        interval,
        verdict,
    } = difference;
    let other = contenders
        .iter()
        .find(|contender| contender.name == *to)
        .and_then(|contender| of.of(&contender.figures));
    let own = okuo.intervals.get(of).map_or_else(String::new, |own| {
        format!("({:.4} … {:.4})", own.low, own.high)
    });
    [
        of.name().to_owned(),
        figure(of.of(&okuo.figures), 4),
        own,
        figure(other, 4),
        format!("{difference:+.4}"),
        format!("({:+.4} … {:+.4})", interval.low, interval.high),
        verdict.words().to_owned(),
        to.clone(),
    ]
}

/// A name and this many figures.
fn figures_table(figures: usize) -> Table {
    Table::new(figure_columns(figures + 1))
}

/// The first column to the left, the others to the right.
fn figure_columns(count: usize) -> Vec<Column> {
    let mut columns = vec![Column::fitted(Align::Right); count];
    if let Some(first) = columns.first_mut() {
        *first = Column::fitted(Align::Left);
    }
    columns
}

#[cfg(test)]
mod tests;
