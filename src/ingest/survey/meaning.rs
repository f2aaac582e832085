//! What a column means by its name.

use serde::Serialize;

use super::words::{WordSense, senses};
use crate::ingest::columns::ColumnRole;

/// What a column of tickets may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnMeaning {
    /// Who bought.
    Customer,
    /// What was bought, by an id.
    Product,
    /// When it was bought.
    Time,
    /// The time of day, apart from the date.
    TimeOfDay,
    /// How many.
    Quantity,
    /// The ticket that the line stands on.
    Basket,
    /// What it cost.
    Price,
    /// The group that the product belongs to.
    Category,
    /// Where it was bought.
    Store,
    /// What the product is called.
    ProductName,
}

impl ColumnMeaning {
    /// Those that are roles of a ticket line, in the order of okuo.toml.
    pub const ROLES: [ColumnMeaning; 9] = [
        ColumnMeaning::Customer,
        ColumnMeaning::Product,
        ColumnMeaning::Time,
        ColumnMeaning::TimeOfDay,
        ColumnMeaning::Quantity,
        ColumnMeaning::Basket,
        ColumnMeaning::Price,
        ColumnMeaning::Category,
        ColumnMeaning::Store,
    ];

    /// The key of the role under `[columns]`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Time => "time",
            Self::TimeOfDay => "time_of_day",
            Self::Quantity => "quantity",
            Self::Basket => "basket",
            Self::Price => "price",
            Self::Category => "category",
            Self::Store => "store",
            Self::ProductName => "name",
        }
    }

    /// What it is in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Customer => "the customer's id",
            Self::Product => "the product's id",
            Self::Time => "the day or time of the sale",
            Self::TimeOfDay => "the time of day",
            Self::Quantity => "the quantity",
            Self::Basket => "the ticket's number",
            Self::Price => "the price",
            Self::Category => "the product's category",
            Self::Store => "the store",
            Self::ProductName => "the product's name",
        }
    }

    /// The role of a ticket line that it is; a product's name is none.
    #[must_use]
    pub fn role(self) -> Option<ColumnRole> {
        match self {
            Self::Customer => Some(ColumnRole::Customer),
            Self::Product => Some(ColumnRole::Product),
            Self::Time => Some(ColumnRole::Time),
            Self::TimeOfDay => Some(ColumnRole::TimeOfDay),
            Self::Quantity => Some(ColumnRole::Quantity),
            Self::Basket => Some(ColumnRole::Basket),
            Self::Price => Some(ColumnRole::Price),
            Self::Category => Some(ColumnRole::Category),
            Self::Store => Some(ColumnRole::Store),
            Self::ProductName => None,
        }
    }

    /// Whether it is what a role asks for.
    pub(in crate::ingest) fn is_of(self, role: ColumnRole) -> bool {
        self.role() == Some(role)
    }

    /// Whether tickets cannot be read without it.
    #[must_use]
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Customer | Self::Product | Self::Time)
    }
}

/// What a name says, and how clearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct NameMeaning {
    pub(in crate::ingest) meaning: ColumnMeaning,
    /// The higher the clearer: 100 for the plain word, more with a word for ids beside it, less for
    /// every word that is not understood.
    pub(in crate::ingest) clearness: i32,
}

/// Below this, a name is no reason to take a column.
pub(in crate::ingest) const CLEAR: i32 = 60;

const PLAIN: i32 = 100;
const WITH_IDENTIFIER: i32 = 10;
const PER_UNKNOWN_WORD: i32 = -14;
const OTHER_DATE: i32 = 50;

/// What a column means by its name; `None` if the name says nothing, or something that is no role.
pub(in crate::ingest) fn meaning_of(name: &str) -> Option<NameMeaning> {
    use WordSense as S;
    let senses = senses(name);
    let has = |sense: WordSense| senses.contains(&Some(sense));
    if has(S::Trait) {
        return None;
    }
    let meaning = meaning_of_senses(&senses)?;
    let unknown = senses.iter().filter(|sense| sense.is_none()).count();
    let mut clearness = PLAIN + PER_UNKNOWN_WORD * i32::try_from(unknown).unwrap_or(i32::MAX / 100);
    let is_id = matches!(
        meaning,
        ColumnMeaning::Customer | ColumnMeaning::Product | ColumnMeaning::Basket
    );
    if is_id && has(S::Identifier) {
        clearness += WITH_IDENTIFIER;
    }
    if meaning == ColumnMeaning::Time {
        if has(S::OtherDate) {
            clearness -= OTHER_DATE;
        } else if has(S::Customer) || has(S::Product) {
            // The date of a customer or a product is seldom that of a sale.
            clearness -= OTHER_DATE / 2;
        } else if has(S::Basket) || has(S::Filler) {
            clearness += 5;
        }
    } else if has(S::OtherDate) {
        return None;
    }
    Some(NameMeaning { meaning, clearness })
}

fn meaning_of_senses(senses: &[Option<WordSense>]) -> Option<ColumnMeaning> {
    use ColumnMeaning as M;
    use WordSense as S;
    let has = |sense: WordSense| senses.contains(&Some(sense));
    // The words that decide stand first: an invoice's date is a date, a product's price a price.
    let deciding = [
        (S::CalendarPart, None),
        (S::Date, Some(M::Time)),
        (S::Clock, Some(M::TimeOfDay)),
        (S::Price, Some(M::Price)),
        (S::Quantity, Some(M::Quantity)),
        (S::Category, Some(M::Category)),
    ];
    if let Some((_, meaning)) = deciding.into_iter().find(|(sense, _)| has(*sense)) {
        return meaning;
    }
    if has(S::Name) {
        return (!has(S::Customer) && !has(S::Basket) && !has(S::Store)).then_some(M::ProductName);
    }
    if has(S::Basket) && has(S::Product) {
        return None; // the number of the line on its ticket
    }
    senses.iter().rev().find_map(|sense| match sense {
        Some(S::Customer) => Some(M::Customer),
        Some(S::Product) => Some(M::Product),
        Some(S::Basket) => Some(M::Basket),
        Some(S::Store) => Some(M::Store),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<ColumnMeaning> {
        let found = meaning_of(name)?;
        (found.clearness >= CLEAR).then_some(found.meaning)
    }

    #[test]
    fn names_are_understood_in_many_languages() {
        use ColumnMeaning as M;
        for (meaning, names) in [
            (
                M::Customer,
                "customer_id CustomerID Customer_ID client_id household_id household_key user_id card loyalty_id \
                 member_id kunde Kunden-Nr. Kundennummer client cliente codice_cliente n°carte klant asiakas \
                 CUST_CODE customer_unique_id id_cliente Kundenkarte klient_id musteri_no клиент_id 客户编号 custid",
            ),
            (
                M::Product,
                "product_id StockCode sku article Artikel-Nr. item_id PROD_CODE upc ean barcode plu produit producto \
                 articolo codigo_producto Artikelnummer varenr tuote_id товар 商品コード Material Item itemcode",
            ),
            (
                M::Time,
                "timestamp date datetime InvoiceDate SHOP_DATE order_purchase_timestamp sold_at Datum fecha data jour \
                 DAY transaction_timestamp Rechnungsdatum date_achat data_vendita purchase_date Belegdatum TransDate \
                 created_at дата 日期 order_date date_time DateHeure time_stamp",
            ),
            (
                M::TimeOfDay,
                "time TRANS_TIME SHOP_HOUR Uhrzeit hora heure ora tijd Time order_hour_of_day",
            ),
            (
                M::Quantity,
                "quantity qty Menge units QUANTITY cantidad quantità quantité Qté Anzahl Stück aantal antal 数量 sales_qty",
            ),
            (
                M::Basket,
                "receipt InvoiceNo ticket order_id basket_id Bon BASKET_ID transaction_id Belegnummer scontrino \
                 numero_ticket Invoice 订单号 purchase_order_no",
            ),
            (
                M::Price,
                "price UnitPrice SPEND sales_value Umsatz Preis prix_unitaire importe total_amount unit_price",
            ),
            (
                M::Category,
                "category Warengruppe department product_category DEPARTMENT commodity_desc rayon",
            ),
            (
                M::Store,
                "store store_id STORE_CODE Filiale shop magasin_id tienda negozio",
            ),
            (
                M::ProductName,
                "Description product_name Artikelbezeichnung libelle_produit item_name",
            ),
        ] {
            for name in names.split_whitespace() {
                assert_eq!(of(name), Some(meaning), "{name}");
            }
        }
    }

    #[test]
    fn what_is_alike_by_letters_but_means_something_else_is_no_role() {
        for name in [
            "shop_week",
            "SHOP_WEEKDAY",
            "order_dow",
            "CUST_PRICE_SENSITIVITY",
            "CUST_LIFESTAGE",
            "customer_name",
            "customer_city",
            "order_status",
            "eval_set",
            "days_since_prior_order",
            "order_item_id",
            "card_type",
            "BASKET_SIZE",
            "STORE_FORMAT",
            "Country",
            "",
            "x",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
        for name in ["order_delivered_customer_date", "birth_date", "updated_at"] {
            assert_ne!(of(name), Some(ColumnMeaning::Time), "{name}");
        }
        assert_ne!(of("ticket_id"), Some(ColumnMeaning::Product));
        assert_ne!(of("store_id"), Some(ColumnMeaning::Customer));
        assert_ne!(of("customer_unique_id"), Some(ColumnMeaning::Product));
        assert_ne!(of("order_id"), Some(ColumnMeaning::Time));
    }

    #[test]
    fn the_finest_of_several_is_the_clearest() {
        let clearness = |name| meaning_of(name).unwrap().clearness;
        assert!(clearness("PROD_CODE") > clearness("PROD_CODE_10"));
        assert!(clearness("customer_id") > clearness("card"));
        assert!(clearness("order_purchase_timestamp") > clearness("order_delivered_timestamp"));
    }
}
