use std::sync::Arc;

use super::super::faulty_store::FaultyStore;
use super::super::manifest::{GuardRecord, ModelReference};
use super::super::runs::{NightRun, publish_run};
use super::*;
use crate::domain::examples;
use crate::offers::{Arm, OfferMix, OfferParameters, offers};
use crate::publish::campaign::{PublishedCampaign, published_campaign};
use crate::publish::tables::files;
use crate::store::PutMode;

fn location(store: &Arc<FaultyStore>) -> Location {
    Location::new(Arc::clone(store) as Arc<dyn crate::store::Store>, "out")
}

/// A night `after` days after that of the examples: its customers are expected on the next day.
fn run(after: i32, parameters: &OfferParameters) -> NightRun {
    let mut predictions = examples::integer();
    predictions.as_of = AsOf(predictions.as_of.day() + after);
    for customer in &mut predictions.customers {
        customer.days_to_next = 1.0;
        customer.last_purchase = predictions.as_of.day() - 3;
        (customer.earliest, customer.latest) =
            (predictions.as_of.day() + 1, predictions.as_of.day() + 4);
    }
    let offers = offers(&predictions, parameters).unwrap();
    NightRun {
        measured: None,
        as_of: predictions.as_of,
        model: ModelReference {
            id: predictions.model_id.clone(),
            sha256: "0123456789ab".repeat(5),
        },
        tables: files(&predictions, &offers, &[]).unwrap(),
        config: serde_json::json!({}),
        inputs: vec![],
        lines: serde_json::json!({}),
        funnel: predictions.funnel,
        warnings: vec![],
        guards: GuardRecord::default(),
    }
}

fn one_each(control_share: f64) -> OfferParameters {
    OfferParameters {
        per_customer: 1,
        control_share,
        mix: OfferMix::ONLY_LIKELY,
        ..OfferParameters::default()
    }
}

async fn publish(store: &Arc<FaultyStore>, after: i32, parameters: &OfferParameters) {
    publish_run(&location(store), &run(after, parameters))
        .await
        .unwrap();
}

/// What was sent in the week before the night of the examples.
async fn sent(store: &Arc<FaultyStore>) -> PublishedOffers {
    let predictions = examples::integer();
    let night = predictions.as_of.day();
    let nights = DateRange {
        first: night - 7,
        last: night - 1,
    };
    let (customers, products) = (&predictions.customer_ids, &predictions.product_ids);
    let [customers, products] = [customers, products].map(|ids| move |id: Id<'_>| ids.code_of(id));
    published_offers(&location(store), nights, &customers, &products)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_due_offers_of_earlier_nights_were_sent() {
    let store = FaultyStore::new();
    assert!(sent(&store).await.offers.is_empty());
    publish(&store, -2, &one_each(0.0)).await;
    publish(&store, 0, &one_each(0.0)).await;
    publish(&store, -9, &one_each(0.0)).await;
    let read = sent(&store).await;
    let night = examples::integer().as_of.day();
    let offer = SentOffer {
        sent_on: night - 1,
        valid_until: night + 2,
        product: Some(2),
    };
    assert_eq!(read.offers, [(0, offer), (2, offer)]);
    assert!(read.warnings.is_empty());
    let objects: Vec<&str> = read.inputs.iter().map(|input| &*input.object).collect();
    assert!(
        objects.len() == 1
            && objects[0].starts_with("memory/out/as_of=2017-10-29/run=")
            && objects[0].ends_with("/offers.parquet"),
        "{objects:?}"
    );
}

#[tokio::test]
async fn the_control_arms_offers_count_as_sent_and_later_ones_do_not() {
    let store = FaultyStore::new();
    publish(&store, -2, &one_each(1.0)).await;
    assert_eq!(sent(&store).await.offers.len(), 2);
    // A night that is published again counts as it is published now.
    let none = OfferParameters {
        certain_above: 0.0,
        ..one_each(0.0)
    };
    publish(&store, -2, &none).await;
    assert_eq!(sent(&store).await.offers, []);
}

#[tokio::test]
async fn what_no_manifest_names_was_not_sent_and_damage_is_told() {
    let store = FaultyStore::new();
    publish(&store, -2, &one_each(0.0)).await;
    publish(&store, -3, &one_each(0.0)).await;
    let folder = location(&store).child("as_of=2017-10-29");
    let manifest = folder.get("manifest.json").await.unwrap().0;
    folder.delete("manifest.json").await.unwrap();
    assert_eq!(sent(&store).await.offers.len(), 2);
    let damaged = manifest.slice(..100);
    folder
        .put("manifest.json", damaged, PutMode::Overwrite)
        .await
        .unwrap();
    let read = sent(&store).await;
    assert_eq!((read.offers.len(), read.warnings.len()), (2, 1));
    assert!(
        read.warnings[0]
            .starts_with("what was sent after 2017-10-29 is not known, and may be sent again: "),
        "{}",
        read.warnings[0]
    );
    folder
        .put("manifest.json", manifest, PutMode::Overwrite)
        .await
        .unwrap();
    let tables = folder.list("run=").await.unwrap();
    let offers = tables
        .iter()
        .find(|object| object.key.ends_with("offers.parquet"))
        .unwrap();
    folder
        .put(&offers.key, "PAR1".into(), PutMode::Overwrite)
        .await
        .unwrap();
    let read = sent(&store).await;
    assert_eq!((read.offers.len(), read.warnings.len()), (2, 1));
    assert!(
        read.warnings[0].contains("is damaged"),
        "{}",
        read.warnings[0]
    );
}

/// What was offered in the week before the night of the examples, in every arm.
async fn campaign(store: &Arc<FaultyStore>) -> PublishedCampaign {
    let predictions = examples::integer();
    let night = predictions.as_of.day();
    let nights: Vec<AsOf> = (1..=7).map(|before| AsOf(night - before)).collect();
    let (customers, products) = (&predictions.customer_ids, &predictions.product_ids);
    let [customers, products] = [customers, products].map(|ids| move |id: Id<'_>| ids.code_of(id));
    published_campaign(&location(store), &nights, &customers, &products)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_campaign_has_all_arms() {
    let store = FaultyStore::new();
    publish(&store, -2, &one_each(0.0)).await;
    publish(&store, -3, &one_each(1.0)).await;
    let held_back = OfferParameters {
        control_offer_share: 1.0,
        ..one_each(0.0)
    };
    publish(&store, -4, &held_back).await;
    let read = campaign(&store).await;
    let night = examples::integer().as_of.day();
    let arms: Vec<_> = read
        .offers
        .iter()
        .map(|offer| {
            (
                offer.night.day() - night,
                offer.customer,
                offer.arm,
                offer.offer_arm,
            )
        })
        .collect();
    let (treatment, control) = (Arm::Treatment, Arm::Control);
    let mut expected = vec![];
    for (before, arm, offer_arm) in [
        (-2, treatment, treatment),
        (-3, control, treatment),
        (-4, treatment, control),
    ] {
        expected.extend([0, 2].map(|customer| (before, customer, arm, offer_arm)));
    }
    let mut sorted = arms.clone();
    sorted.sort_by_key(|(before, customer, ..)| (-before, *customer));
    assert_eq!(sorted, expected);
    let sent = read.offers.iter().filter(|offer| offer.is_sent());
    assert!(sent.clone().count() == 2 && sent.clone().all(|offer| offer.night.day() - night == -2));
    let first = sent.clone().next().unwrap();
    assert_eq!(
        (first.valid.first - night, first.valid.last - night),
        (-1, 2)
    );
    assert_eq!((first.strategy.word(), first.product), ("likely", Some(2)));
    assert_eq!((read.inputs.len(), read.unknown), (3, 0));
    assert_eq!(read.warnings, Vec::<String>::new());

    // Customers whose ids are not known are counted.
    let predictions = examples::integer();
    let nobody = |_: Id<'_>| None;
    let products = |id: Id<'_>| predictions.product_ids.code_of(id);
    let nights = [AsOf(night - 2)];
    let place = location(&store);
    let read = published_campaign(&place, &nights, &nobody, &products);
    assert_eq!(read.await.unwrap().unknown, 2);

    let folder = location(&store).child("as_of=2017-10-29");
    folder
        .put("manifest.json", "{}".into(), PutMode::Overwrite)
        .await
        .unwrap();
    let read = campaign(&store).await;
    assert_eq!((read.offers.len(), read.warnings.len()), (4, 1));
    assert!(read.warnings[0].starts_with("the offers of 2017-10-29 are left out: "));
}
