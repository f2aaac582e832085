use super::*;
use crate::calendar::AsOf;
use crate::eval::Interval;
use crate::eval::Verdict;

fn contender(name: &str, baseline: bool, figures: Figures) -> Contender {
    Contender {
        name: name.into(),
        baseline,
        figures,
        intervals: [].into(),
        differences: vec![],
    }
}

fn evaluation() -> Evaluation {
    let when = |mae_all, mae| Figures {
        rows: 300,
        returned: 290,
        nights: 2,
        mae_all: Some(mae_all),
        mae: Some(mae),
        ..Figures::default()
    };
    let what = |ndcg, recall| Figures {
        ndcg_at_10: Some(ndcg),
        recall_at_10: Some(recall),
        ..Figures::default()
    };
    let mut okuo = contender(
        OKUO,
        false,
        Figures {
            ndcg_at_10: Some(0.3),
            recall_at_10: Some(0.15),
            coverage_80: Some(0.8012),
            width_80: Some(8.5),
            brier_return_7d: Some(0.1),
            brier_base_7d: Some(0.2),
            ece_products: Some(0.0123),
            ..when(3.6, 3.0)
        },
    );
    okuo.intervals = [(
        Figure::MaeAll,
        Interval {
            low: 3.4,
            high: 3.8,
        },
    )]
    .into();
    let gain = |figure, to: &str, difference, low, high, verdict| Difference {
        figure,
        to: to.into(),
        difference,
        interval: Interval { low, high },
        verdict,
    };
    okuo.differences = vec![
        gain(
            Figure::MaeAll,
            "population median",
            -0.33,
            -0.41,
            -0.25,
            Verdict::Better,
        ),
        gain(
            Figure::NdcgAt10,
            "TIFUKNN",
            0.01,
            -0.002,
            0.022,
            Verdict::Tie,
        ),
    ];
    Evaluation {
        offers: None,
        nights: ["2017-10-31", "2017-11-07"]
            .map(|night| night.parse::<AsOf>().unwrap())
            .to_vec(),
        contenders: vec![
            okuo,
            contender("population median", true, when(3.93, 3.23)),
            contender("personal median gap", true, when(4.13, 3.4)),
            contender("P-TopFreq", true, what(0.28, 0.144)),
            contender("TIFUKNN", true, what(0.29, 0.15)),
        ],
        best_baselines: [
            (Figure::MaeAll, "population median".into()),
            (Figure::NdcgAt10, "TIFUKNN".into()),
        ]
        .into(),
        warnings: vec![],
    }
}

#[test]
fn people_can_read_it() {
    insta::assert_snapshot!(evaluation_text(&evaluation()), @"
    300 predictions on 2 nights (2017-10-31, 2017-11-07); 290 of them were seen to return within 28 days

    when they come (days)  mae_all     mae  median_ae  within_1  within_3  bias  coverage_80  width_80
    okuo                    3.6000  3.0000          –         –         –     –       0.8012      8.50
    population median *     3.9300  3.2300          –         –         –     –            –         –
    personal median gap     4.1300  3.4000          –         –         –     –            –         –

    what they buy  ndcg@10  recall@10  precision@10  hit@10  ndcg@5  recall@5  ndcg@20  recall@20
    okuo            0.3000     0.1500             –       –       –         –        –          –
    P-TopFreq       0.2800     0.1440             –       –       –         –        –          –
    TIFUKNN *       0.2900     0.1500             –       –       –         –        –          –

    probabilities           7 days  14 days  28 days  products
    Brier score             0.1000        –        –         –
    … of the observed rate  0.2000        –        –         –
    calibration error            –        –        –    0.0123
    log loss                     –        –        –         –

    okuo beside    okuo      95 % interval   other  difference        95 % interval
    mae_all      3.6000  (3.4000 … 3.8000)  3.9300     -0.3300  (-0.4100 … -0.2500)  better  population median
    ndcg@10      0.3000                     0.2900     +0.0100  (-0.0020 … +0.0220)  a tie   TIFUKNN
    ");
}

#[test]
fn figures_of_fewer_nights_say_on_what_they_rest() {
    let mut evaluation = evaluation();
    let basis = |predictions, customers, nights| FigureBasis {
        predictions,
        customers,
        nights,
    };
    let figures = &mut evaluation.contenders[0].figures;
    figures.customers = 180;
    // Those who returned are named in the heading; they alone make no table.
    figures.rests_on = [("mae".to_owned(), basis(290, 175, 2))].into();
    assert!(!evaluation_text(&evaluation).contains("rest on"));
    let figures = &mut evaluation.contenders[0].figures;
    let rests_on = [
        ("mae_all", basis(148, 148, 1)),
        ("coverage_80", basis(295, 178, 2)),
    ];
    figures
        .rests_on
        .extend(rests_on.map(|(name, basis)| (name.to_owned(), basis)));
    let text = evaluation_text(&evaluation);
    let begin = text.find("what they rest on").unwrap();
    let lines: Vec<&str> = text[begin..].lines().take(5).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    what they rest on  predictions  customers  nights
    all                        300        180       2
    mae, baskets               290        175       2
    mae_all                    148        148       1
    coverage_80                295        178       2
    ");
}

#[test]
fn columns_are_aligned_and_nothing_stands_for_what_is_not_known() {
    let text = evaluation_text(&evaluation());
    let lines: Vec<&str> = text.lines().collect();
    let heading = lines.iter().find(|line| line.contains("mae_all")).unwrap();
    let end = heading.find("mae_all").unwrap() + "mae_all".len();
    let okuo = lines
        .iter()
        .find(|line| line.starts_with("okuo") && line.contains("3.6000"))
        .unwrap();
    assert_eq!(okuo.find("3.6000").unwrap() + "3.6000".len(), end);
    let alone = Evaluation {
        contenders: vec![contender("TIFUKNN", true, Figures::default())],
        ..evaluation()
    };
    assert_eq!(
        evaluation_text(&alone).lines().count(),
        1,
        "no table without a figure"
    );
}
