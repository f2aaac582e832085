//! An evaluation as text for people.

use super::{Contender, Difference, Evaluation, Figure, Figures, OKUO, Verdict};

/// A column: its heading, its value, and its decimals.
type Column = (&'static str, fn(&Figures) -> Option<f64>, usize);

const TIMING: [Column; 8] = [
    ("mae_all", |f| f.mae_all, 4),
    ("mae", |f| f.mae, 4),
    ("median_ae", |f| f.median_ae, 4),
    ("within_1", |f| f.within_1, 4),
    ("within_3", |f| f.within_3, 4),
    ("bias", |f| f.bias, 4),
    ("coverage_80", |f| f.coverage_80, 4),
    ("width_80", |f| f.width_80, 2),
];

const BASKET: [Column; 8] = [
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
#[must_use]
pub fn table(evaluation: &Evaluation) -> String {
    let mut partitions = vec![heading(evaluation)];
    partitions.extend(section(
        evaluation,
        "when they come (days)",
        &[Figure::MaeAll, Figure::Mae],
        &TIMING,
    ));
    partitions.extend(section(
        evaluation,
        "what they buy",
        &[Figure::NdcgAt10],
        &BASKET,
    ));
    if let Some(okuo) = evaluation
        .contenders
        .iter()
        .find(|contender| contender.name == OKUO)
    {
        partitions.extend(probabilities(&okuo.figures));
        partitions.extend(gains(okuo, &evaluation.contenders));
    }
    partitions.join("\n")
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

/// One row a contender that has any of the columns; the mark goes by the first of the main figures
/// that there is.
fn section(
    evaluation: &Evaluation,
    title: &str,
    main: &[Figure],
    columns: &[Column],
) -> Option<String> {
    let best = main
        .iter()
        .find_map(|figure| evaluation.best_baselines.get(figure));
    let own = |contender: &&Contender| {
        columns
            .iter()
            .any(|(_, value, _)| value(&contender.figures).is_some())
    };
    let mut lines = vec![
        std::iter::once(title)
            .chain(columns.iter().map(|(heading, ..)| *heading))
            .map(str::to_owned)
            .collect(),
    ];
    for contender in evaluation.contenders.iter().filter(own) {
        let mark = if best == Some(&contender.name) {
            " *"
        } else {
            ""
        };
        let mut line = vec![format!("{}{mark}", contender.name)];
        line.extend(
            columns
                .iter()
                .map(|(_, value, decimals)| number(value(&contender.figures), *decimals)),
        );
        lines.push(line);
    }
    (lines.len() > 1).then(|| grid(&lines, columns.len() + 1))
}

fn probabilities(figures: &Figures) -> Option<String> {
    let line = |name: &str, values: [Option<f64>; 4]| -> Vec<String> {
        std::iter::once(name.to_owned())
            .chain(values.map(|value| number(value, 4)))
            .collect()
    };
    let f = figures;
    let lines = [
        ["probabilities", "7 days", "14 days", "28 days", "products"]
            .map(str::to_owned)
            .to_vec(),
        line(
            "Brier score",
            [
                f.brier_return_7d,
                f.brier_return_14d,
                f.brier_return_28d,
                None,
            ],
        ),
        line(
            "… of the observed rate",
            [f.brier_base_7d, f.brier_base_14d, f.brier_base_28d, None],
        ),
        line(
            "calibration error",
            [
                f.ece_return_7d,
                f.ece_return_14d,
                f.ece_return_28d,
                f.ece_products,
            ],
        ),
        line("log loss", [None, None, None, f.log_loss_products]),
    ];
    [
        f.brier_return_7d,
        f.brier_return_14d,
        f.brier_return_28d,
        f.log_loss_products,
    ]
    .iter()
    .any(Option::is_some)
    .then(|| grid(&lines, 5))
}

fn gains(okuo: &Contender, contenders: &[Contender]) -> Option<String> {
    let headings = [
        "okuo beside",
        "okuo",
        "95 % interval",
        "other",
        "difference",
        "95 % interval",
        "",
        "",
    ];
    let mut lines = vec![headings.map(str::to_owned).to_vec()];
    for Difference {
        figure,
        to,
        difference,
        interval,
        verdict,
    } in &okuo.differences
    {
        let other = contenders
            .iter()
            .find(|contender| contender.name == *to)
            .and_then(|contender| figure.of(&contender.figures));
        let own = okuo.intervals.get(figure).map_or_else(String::new, |own| {
            format!("({:.4} … {:.4})", own.low, own.high)
        });
        let verdict = match verdict {
            Verdict::Better => "better",
            Verdict::Tie => "a tie",
            Verdict::Worse => "worse",
        };
        lines.push(vec![
            figure.name().to_owned(),
            number(figure.of(&okuo.figures), 4),
            own,
            number(other, 4),
            format!("{difference:+.4}"),
            format!("({:+.4} … {:+.4})", interval.low, interval.high),
            format!("{verdict:<6}"),
            to.clone(),
        ]);
    }
    (lines.len() > 1).then(|| grid(&lines, 7))
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Lines of cells, the first column to the left, the others up to column `right` to the right, the
/// rest to the left.
fn grid(lines: &[Vec<String>], right: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            text.push_str(if column == 0 { "" } else { "  " });
            text.push_str(&if column == 0 || column >= right {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            });
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
