//! The words of column names, in many languages, and what they stand for.
//!
//! Words are folded: lower case, without accents.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a word of a column's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WordSense {
    Customer,
    Product,
    /// A name or a description.
    Name,
    Date,
    /// A time of day.
    Clock,
    Quantity,
    Basket,
    Price,
    Category,
    Store,
    /// That a column has ids: `id`, `no`, `code`.
    Identifier,
    /// A part of the calendar that is no date: a week, a weekday, a month.
    CalendarPart,
    /// A date of something other than a sale.
    OtherDate,
    /// A trait of a customer or product: a column with such a word has no ids.
    Trait,
    /// A word that changes nothing: `sales`, `total`.
    Filler,
}

/// Each sense with its words.
const WORDS: [(WordSense, &str); 15] = [
    (
        WordSense::Customer,
        "customer customers cust client clients kunde kunden kundin kund kunder household hshd hh \
         user users member members mitglied shopper buyer card cards loyalty bonuscard karte bonuskarte \
         kundenkarte tarjeta carte tessera kort kortti cliente clientes clienti klant klanten asiakas \
         acheteur adherent membre socio soci tesserato utente usuario usuarios utilisateur utilizador gast \
         klient klienta klienci musteri zakaznik zakaznika vasarlo pelanggan consumer patron account \
         debitor debtor panelist comprador cartao carta fidelity fidelidade \
         клиент клиента покупатель покупателя карта карты πελατης 顧客 会員 客户 会员 顾客 고객 회원",
    ),
    (
        WordSense::Product,
        "product products prod item items article articles artikel artikels art sku skus stock ean gtin upc plu \
         barcode strichcode isbn asin material matnr produit produits producto productos prodotto prodotti \
         produto produtos articolo articoli articulo articulos artigo tuote tuotteen vara varen varer vare \
         towar towaru produkt produkte produktu produkter produktet urun zbozi termek barang goods \
         merchandise товар товара продукт артикул штрихкод προιον 商品 产品 製品 상품 제품",
    ),
    (
        WordSense::Name,
        "name names description desc descr bezeichnung bez beschreibung designation libelle intitule nom nombre \
         descripcion descrizione descricao nome omschrijving naam nimi navn namn nazwa nazev opis adi title \
         titel text label наименование название 名称 商品名 이름",
    ),
    (
        WordSense::Date,
        "date dates datetime timestamp ts datum fecha data jour giorno dia dag day dato paiva paivamaara pvm \
         tarih datetimestamp zeitstempel zeitpunkt horodatage moment at on when stamp dt tag \
         yyyymmdd trandate дата день время_покупки ημερομηνια 日期 日付 年月日 날짜 일자 时间 日時",
    ),
    (
        WordSense::Clock,
        "time hour hours hr clock uhrzeit zeit stunde hora heure heures ora orario tijd uur kello \
         kellonaika klokken klokkeslett tid klockslag godzina czas saat cas hodina время час 時刻 時間 시간",
    ),
    (
        WordSense::Quantity,
        "quantity quantities qty qnty qte quantite quant menge anzahl stuck stueck stk units pieces pcs pezzi pezzo piezas count \
         cantidad cant quantita qta quantidade qtd qtde aantal hoeveelheid maara kpl lkm antal mangd mangde \
         ilosc adet miktar mnozstvi pocet mennyiseg jumlah volume количество колво кол ποσοτητα 数量 個数 수량",
    ),
    (
        WordSense::Basket,
        "receipt receipts ticket tickets invoice invoices order orders basket baskets bon bons bonnr beleg belege \
         kassenbon kassenzettel rechnung transaction transactions trans tran transact txn trx tx check cheque \
         bill scontrino scontrini factura facturas fattura facture fatura kuitti kvitto kvittering paragon \
         paragonu fis fisno uctenka nyugta struk session visit trip pedido pedidos commande ordine encomenda \
         bestellung bestelling bestilling tilaus zamowienie recibo cupom nota tiquet tique folio чек чека заказ \
         заказа 订单 小票 注文 伝票 주문 영수증",
    ),
    (
        WordSense::Price,
        "price prices amount amt spend spent revenue value net gross cost umsatz preis betrag verkaufspreis \
         einzelpreis prix montant precio precios importe prezzo importo preco valor prijs bedrag hinta summa \
         pris belop belob cena kwota fiyat tutar harga turnover omzet chiffre usd eur gbp euro euros \
         цена сумма стоимость τιμη 价格 金额 価格 金額 가격 금액",
    ),
    (
        WordSense::Category,
        "category categories categorie categoria categoria kategorie kategoria kategori warengruppe department \
         departments dept commodity rayon famille family familia famiglia group gruppe gruppo grupo groupe \
         subcategory subclass class klasse aisle reparto abteilung sparte section sortiment segment hierarchy \
         категория группа отдел 类别 分類 カテゴリ 카테고리",
    ),
    (
        WordSense::Store,
        "store stores shop shops filiale filialen filial markt branch outlet magasin tienda tiendas negozio loja \
         winkel filiaal myymala kauppa butik butikk sklep obchod magaza magazin location site till pos \
         kasse caisse caja cassa kassa register terminal sucursal boutique punkt магазин касса 店舗 门店 매장",
    ),
    (
        WordSense::Identifier,
        "id ids 号 no nr num number nummer nro n code codes key uid uuid guid numero codice codigo cod ref pk sk fk \
         identifier identificativo unique hash kennung kod koodi kodu tunnus numer cislo identifiant \
         номер код ид 番号 编号 代码 コード 번호 코드",
    ),
    (
        WordSense::CalendarPart,
        "week weeks woche semaine semana settimana viikko weekday dow dayofweek wochentag month months monat mois mes \
         mese year years jahr annee ano anno quarter quartal trimestre season period fiscal calendar dayname \
         monthname неделя месяц год",
    ),
    (
        WordSense::OtherDate,
        "shipped shipping ship delivered delivery deliver approved approval birth birthday dob born geburt \
         geburtsdatum lieferdatum liefer update updated modified changed due expiry expires expiration valid \
         validity until loaded load inserted insert ingested ingest exported export limit estimated estimate \
         arrival launch launched signup registered registration enrolled enrollment joined since prior \
         churn end ended deleted carrier payment paid posting naissance livraison nacimiento entrega nascita \
         consegna nascimento",
    ),
    (
        WordSense::Trait,
        "type types status state flag kind typ tipo gender sex age income email mail phone tel address street city \
         country zip postcode postal region size sensitivity lifestage lifestyle format mission brand \
         manufacturer colour color weight kg gram uom currency tax vat discount disc coupon promo promotion \
         campaign method mode score rank rating review lat lon latitude longitude language first last \
         firstname lastname surname vorname nachname prenom apellido reordered days duration index row line \
         position sequence seq version lineno linenumber zeile rabatt remise descuento sconto steuer  \
         points punkte segmentation cluster marital homeowner composition reason exclude eval \
         employee cashier clerk kassierer operator bediener seller vendor supplier lieferant fournisseur",
    ),
    (
        WordSense::Filler,
        "sale sales sold sell selling purchase purchased purchases bought buy buying verkauf verkaufs kauf einkauf \
         vente ventes achat achats venta ventas compra compras vendita vendite acquisto venda vendas verkoop \
         aankoop salg forsaljning myynti sprzedazy zakupu satis retail total of the de du des la le el del da do \
         di per und and y e et record business created create placed line_item original der die das \
         internal my our global продажи покупки",
    ),
];

/// Each word with its sense.
static SENSES: LazyLock<BTreeMap<&'static str, WordSense>> = LazyLock::new(|| {
    let mut senses = BTreeMap::new();
    for (sense, words) in WORDS {
        for word in words.split_whitespace() {
            senses.entry(word).or_insert(sense);
        }
    }
    senses
});

/// Some letters between two words of a compound, as in `Rechnungsdatum`.
const LINKS: [&str; 3] = ["s", "n", "en"];

/// Words of a compound have this many letters at least.
const SHORTEST_PART: usize = 2;

/// Longer tokens are no words.
const LONGEST_TOKEN: usize = 40;

/// What the words of a name stand for; `None` for a word that is not known.
pub(super) fn senses(name: &str) -> Vec<Option<WordSense>> {
    let tokens = tokens(name);
    let mut senses = vec![];
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        // The hour "of day" is no day.
        if token != "day" || before.is_none_or(|before| before != "of") {
            senses.extend(senses_of_token(token));
        }
    }
    senses
}

fn senses_of_token(token: &str) -> Vec<Option<WordSense>> {
    if let Some(sense) = SENSES.get(token) {
        return vec![Some(*sense)];
    }
    match compound(token) {
        Some(senses) => senses.into_iter().map(Some).collect(),
        None => vec![None],
    }
}

/// The senses of the words that a token is put together of: the fewest words that leave no letter
/// over.
fn compound(token: &str) -> Option<Vec<WordSense>> {
    if token.len() > LONGEST_TOKEN {
        return None;
    }
    // For each position that words can reach, the senses up to there.
    let mut reached: BTreeMap<usize, Vec<WordSense>> = BTreeMap::from([(0, vec![])]);
    for end in 1..=token.len() {
        if !token.is_char_boundary(end) {
            continue;
        }
        let mut best: Option<Vec<WordSense>> = None;
        for (start, before) in &reached {
            let Some(part) = token.get(*start..end) else {
                continue;
            };
            let Some(sense) = sense_of_part(part, before.is_empty()) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|best| before.len() + 1 < best.len())
            {
                best = Some([before.as_slice(), &[sense]].concat());
            }
        }
        if let Some(best) = best {
            reached.insert(end, best);
        }
    }
    reached.remove(&token.len())
}

/// The sense of a part of a compound, perhaps after letters that link it to the part before.
fn sense_of_part(part: &str, is_first: bool) -> Option<WordSense> {
    let known = |word: &str| {
        let is_long = word.chars().count() >= SHORTEST_PART || !word.is_ascii();
        is_long.then(|| SENSES.get(word).copied()).flatten()
    };
    let linked = || {
        LINKS
            .iter()
            .filter_map(|link| part.strip_prefix(link))
            .find_map(|word| known(word).filter(|_| word.len() > SHORTEST_PART))
    };
    known(part).or_else(|| if is_first { None } else { linked() })
}

/// The words of a name, folded: `CustomerID`, `KUNDEN-NR.` and `n° carte` are two each.
pub(super) fn tokens(name: &str) -> Vec<String> {
    let mut tokens: Vec<String> = vec![];
    let mut token = String::new();
    let mut before: Option<char> = None;
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let is_letter = character.is_alphanumeric() && !matches!(character, 'º' | 'ª');
        let begins_word = match before {
            Some(before) if character.is_uppercase() => {
                before.is_lowercase()
                    || (before.is_uppercase()
                        && characters.peek().is_some_and(|next| next.is_lowercase())
                        && token.chars().count() > 1)
            }
            Some(before) => before.is_ascii_digit() != character.is_ascii_digit(),
            None => false,
        };
        if (!is_letter || begins_word) && !token.is_empty() {
            tokens.push(std::mem::take(&mut token));
        }
        if is_letter {
            token.push_str(&folded(character));
        }
        before = is_letter.then_some(character);
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

/// A text in small letters without accents.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(folded).collect()
}

fn folded(character: char) -> String {
    let lower: String = character.to_lowercase().collect();
    let plain = match lower.chars().next().unwrap_or(character) {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' | 'έ' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ı' | 'ī' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => "o",
        'ř' => "r",
        'š' | 'ś' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ů' | 'ű' | 'ū' => "u",
        'ý' | 'ÿ' => "y",
        'ž' | 'ź' | 'ż' => "z",
        'æ' => "ae",
        'œ' => "oe",
        _ => return lower,
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words_as_people_write_them() {
        for (name, words) in [
            ("customer_id", vec!["customer", "id"]),
            ("CustomerID", vec!["customer", "id"]),
            ("Customer ID", vec!["customer", "id"]),
            ("CUST_CODE", vec!["cust", "code"]),
            ("Kunden-Nr.", vec!["kunden", "nr"]),
            ("n° carte", vec!["n", "carte"]),
            ("Quantité", vec!["quantite"]),
            ("PROD_CODE_10", vec!["prod", "code", "10"]),
            ("transactionDateUTC", vec!["transaction", "date", "utc"]),
            ("Stück", vec!["stuck"]),
            ("Umsatz (€)", vec!["umsatz"]),
            ("客户编号", vec!["客户编号"]),
            ("", vec![]),
        ] {
            assert_eq!(tokens(name), words, "{name}");
        }
    }

    #[test]
    fn compounds_are_known_by_their_parts() {
        use WordSense as S;
        for (name, parts) in [
            ("customerid", vec![S::Customer, S::Identifier]),
            ("invoiceno", vec![S::Basket, S::Identifier]),
            ("Rechnungsdatum", vec![S::Basket, S::Date]),
            ("Kundennummer", vec![S::Customer, S::Identifier]),
            ("Artikelbezeichnung", vec![S::Product, S::Name]),
            ("客户编号", vec![S::Customer, S::Identifier]),
        ] {
            let parts: Vec<Option<S>> = parts.into_iter().map(Some).collect();
            assert_eq!(senses(name), parts, "{name}");
        }
        assert_eq!(senses("nonsense"), [None]);
    }

    #[test]
    fn no_word_stands_for_two_things() {
        let mut seen = BTreeMap::new();
        for (sense, words) in WORDS {
            for word in words.split_whitespace() {
                assert_eq!(*seen.entry(word).or_insert(sense), sense, "{word}");
                assert_eq!(fold(word), word, "folded");
            }
        }
    }
}
