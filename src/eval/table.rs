//! An evaluation as a table for people.

use std::fmt::Write;

use super::{Contender, Evaluation};

/// Columns of the two tables: figure and heading.
const TIMING: [(&str, &str); 9] = [
    ("mae_all", "mae_all"),
    ("mae", "mae"),
    ("median_ae", "median"),
    ("within_1", "≤1 day"),
    ("within_3", "≤3 days"),
    ("coverage_80", "cover80"),
    ("width_80", "width"),
    ("brier_return_7d", "brier7"),
    ("ece_return_7d", "ece7"),
];
const BASKET: [(&str, &str); 9] = [
    ("ndcg@10", "ndcg@10"),
    ("recall@10", "rec@10"),
    ("precision@10", "prec@10"),
    ("hit@10", "hit@10"),
    ("ndcg@5", "ndcg@5"),
    ("recall@20", "rec@20"),
    ("hit@20", "hit@20"),
    ("ece_products", "ece"),
    ("log_loss_products", "logloss"),
];

/// Both tables with the intervals and what they mean.
#[must_use]
pub fn table(evaluation: &Evaluation) -> String {
    let mut out = String::new();
    let nights: Vec<String> = evaluation.nights.iter().map(ToString::to_string).collect();
    let rows = evaluation.contenders.first().map_or(0.0, |okuo| okuo.figures.get("rows").copied().unwrap_or(0.0));
    let returned = evaluation.contenders.first().map_or(0.0, |okuo| okuo.figures.get("returned").copied().unwrap_or(0.0));
    let _ = writeln!(
        out,
        "{rows} predictions on {} nights ({}); {returned} customers returned within 28 days",
        nights.len(),
        nights.join(", ")
    );
    section(&mut out, "when (days)", &TIMING, evaluation, "mae_all", false);
    section(&mut out, "what", &BASKET, evaluation, "ndcg@10", true);
    out
}

fn section(out: &mut String, title: &str, columns: &[(&str, &str)], evaluation: &Evaluation, main: &str, larger_is_better: bool) {
    let own: Vec<&Contender> = evaluation.contenders.iter().filter(|contender| contender.figures.contains_key(main)).collect();
    if own.is_empty() {
        let _ = writeln!(out, "\n{title}: no night is followed long enough");
        return;
    }
    let best = own.iter().filter(|contender| contender.baseline).reduce(|best, next| {
        let (a, b) = (best.figures.get(main), next.figures.get(main));
        if (b > a) == larger_is_better && b != a { next } else { best }
    });
    let width = own.iter().map(|contender| contender.name.chars().count()).max().unwrap_or(0).max(title.chars().count()) + 2;
    let _ = write!(out, "\n{title:<width$}");
    columns.iter().for_each(|(_, heading)| {
        let _ = write!(out, "{heading:>9}");
    });
    out.push('\n');
    for contender in &own {
        let mark = if best.is_some_and(|best| best.name == contender.name) { " *" } else { "" };
        let _ = write!(out, "{:<width$}", format!("{}{mark}", contender.name));
        for (figure, _) in columns {
            let _ = match contender.figures.get(*figure) {
                Some(value) => write!(out, "{value:>9.4}"),
                None => write!(out, "{:>9}", "–"),
            };
        }
        out.push('\n');
    }
    let Some(okuo) = own.first() else { return };
    if let Some(interval) = okuo.intervals.get(main) {
        let _ = write!(out, "{main} of okuo: 95 % interval {:.4} … {:.4}", interval.low, interval.high);
        if let Some((best, difference)) = best.zip(okuo.differences.get(main)) {
            let verdict = match (difference.low > 0.0, difference.high < 0.0) {
                (true, _) => {
                    if larger_is_better {
                        "better"
                    } else {
                        "worse"
                    }
                }
                (_, true) => {
                    if larger_is_better {
                        "worse"
                    } else {
                        "better"
                    }
                }
                _ => "a tie",
            };
            let _ = write!(out, "; less {} (*): {:+.4} … {:+.4}, {verdict}", best.name, difference.low, difference.high);
        }
        out.push('\n');
    }
}
