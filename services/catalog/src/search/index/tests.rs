use std::collections::BTreeSet;

use app::Timestamp;
use app::money::{Currency, Money};
use uuid::Uuid;

use super::{Index, Place, Search};
use crate::domain::{Category, Localized, Product};
use crate::seed;
use crate::store::{Change, Row};

fn localized(ko: &str, en: &str) -> Localized {
    Localized {
        ko: ko.to_owned(),
        en: en.to_owned(),
    }
}

fn product(n: u64, category: &str, name: (&str, &str), description: (&str, &str)) -> Product {
    Product {
        id: Uuid::from_u128(u128::from(n)),
        name: localized(name.0, name.1),
        description: localized(description.0, description.1),
        category: category.to_owned(),
        price: Money {
            amount: 1_000,
            currency: Currency::Krw,
        },
        in_stock: true,
        version: 1,
        updated_at: Timestamp::from_micros(0),
    }
}

fn added(position: u64, product: Product) -> Change {
    Change {
        id: product.id,
        revision: 0,
        row: Some(Row { product, position }),
    }
}

fn removed(n: u64) -> Change {
    Change {
        id: Uuid::from_u128(u128::from(n)),
        revision: 0,
        row: None,
    }
}

fn categories() -> Vec<Category> {
    let category = |id: &str, ko, en| Category {
        id: id.to_owned(),
        name: localized(ko, en),
    };
    vec![
        category("electronics", "전자제품", "Electronics"),
        category("kitchen", "주방용품", "Kitchen"),
    ]
}

fn shop() -> Index {
    let kinds = [
        (
            "electronics",
            ("무선 이어폰", "Wireless Earphones"),
            ("음악을 듣기 좋습니다", "For music"),
        ),
        (
            "electronics",
            ("무선 마우스", "Wireless Mouse"),
            ("손이 편합니다", "Kind to the hand"),
        ),
        (
            "electronics",
            ("27인치 모니터", "27-Inch Monitor"),
            ("무선은 아닙니다", "Not wireless"),
        ),
        (
            "kitchen",
            ("유리 머그컵", "Glass Mug"),
            ("커피 한 잔", "For coffee"),
        ),
        (
            "kitchen",
            ("커피 그라인더", "Coffee Grinder"),
            ("원두를 갈아 줍니다", "Grinds beans"),
        ),
        (
            "kitchen",
            ("미니 커피 그라인더", "Mini Coffee Grinder"),
            ("작습니다", "Small"),
        ),
    ];
    let changes: Vec<_> = (1..)
        .zip(kinds)
        .map(|(n, (category, name, text))| added(n, product(n, category, name, text)))
        .collect();
    let index = Index::new().unwrap();
    index.apply(&changes, &categories()).unwrap();
    index
}

fn ask<'a>(query: &'a str) -> Search<'a> {
    Search {
        query: Some(query),
        category: None,
        after: None,
        limit: 10,
    }
}

fn names(index: &Index, search: &Search<'_>) -> Vec<String> {
    let found = index.search(search).unwrap();
    found
        .items
        .into_iter()
        .map(|product| product.name.en)
        .collect()
}

#[test]
fn queries_find_what_people_mean() {
    let index = shop();
    for (query, expected) in [
        // Words, their beginnings, their plurals, in any case and order.
        ("wireless mouse", &["Wireless Mouse"][..]),
        ("MOUSE wire", &["Wireless Mouse"]),
        ("earphone", &["Wireless Earphones"]),
        ("mugs", &["Glass Mug"]),
        ("grin", &["Mini Coffee Grinder", "Coffee Grinder"]),
        // A name before a description, the whole name before a part of one.
        (
            "coffee",
            &["Mini Coffee Grinder", "Coffee Grinder", "Glass Mug"],
        ),
        (
            "wireless",
            &["Wireless Mouse", "Wireless Earphones", "27-Inch Monitor"],
        ),
        ("coffee grinder", &["Coffee Grinder", "Mini Coffee Grinder"]),
        // Korean: with and without spaces, with particles, one character, by description.
        ("무선 이어폰", &["Wireless Earphones"]),
        ("무선이어폰", &["Wireless Earphones"]),
        ("이어폰을", &["Wireless Earphones"]),
        ("컵", &["Glass Mug"]),
        ("원두", &["Coffee Grinder"]),
        (
            "커피",
            &["Mini Coffee Grinder", "Coffee Grinder", "Glass Mug"],
        ),
        // Both languages at once; a script that changes in mid-word; full-width forms.
        ("무선 mouse", &["Wireless Mouse"]),
        ("27인치", &["27-Inch Monitor"]),
        ("ｍｕｇ", &["Glass Mug"]),
        // The category's name.
        ("전자제품 마우스", &["Wireless Mouse"]),
        // Most of many words are enough; of two both are needed.
        (
            "cheap coffee grinder",
            &["Mini Coffee Grinder", "Coffee Grinder"],
        ),
        ("cheap grinder", &[]),
        ("nothing", &[]),
        ("없는것", &[]),
    ] {
        assert_eq!(names(&index, &ask(query)), expected, "{query}");
    }
}

#[test]
fn a_query_is_text_and_nothing_else() {
    let index = shop();
    let long = "이어 ".repeat(5_000) + &"a".repeat(10_000);
    for query in [
        "*",
        "\"",
        "(",
        "name:mouse OR",
        "-mouse",
        "[a TO z]",
        "/.*/",
        "mou?e",
        "\u{0}",
        "\u{202e}",
        "+-&|!(){}[]^\"~*?:\\/",
        "a\u{0}b",
        &long,
        "🙂",
    ] {
        index.search(&ask(query)).unwrap();
    }
    assert!(names(&index, &ask("*")).is_empty());
    assert_eq!(
        names(&index, &ask("\"wireless\u{0}mouse\"")),
        ["Wireless Mouse"]
    );
}

#[test]
fn a_category_narrows_searches_and_listings() {
    let index = shop();
    let in_kitchen = Search {
        category: Some("kitchen"),
        ..ask("coffee")
    };
    assert_eq!(names(&index, &in_kitchen).len(), 3);
    let elsewhere = Search {
        category: Some("electronics"),
        ..ask("coffee")
    };
    assert!(names(&index, &elsewhere).is_empty());
    let listing = Search {
        query: None,
        ..elsewhere
    };
    let newest_first = ["27-Inch Monitor", "Wireless Mouse", "Wireless Earphones"];
    assert_eq!(names(&index, &listing), newest_first);
    assert_eq!(index.count("electronics").unwrap(), 3);
    assert_eq!(index.count("nowhere").unwrap(), 0);
}

#[test]
fn edits_replace_and_deletes_remove() {
    let index = shop();
    let changed = product(2, "kitchen", ("찻주전자", "Teapot"), ("", ""));
    let changes = [added(2, changed), removed(1), removed(99)];
    index.apply(&changes, &categories()).unwrap();
    assert_eq!(names(&index, &ask("teapot")), ["Teapot"]);
    assert_eq!(names(&index, &ask("wireless")), ["27-Inch Monitor"]);
    assert_eq!(index.documents(), 5);
    assert_eq!(index.count("kitchen").unwrap(), 4);
    // A product that changes twice in one batch is there once.
    let twice = [
        added(7, product(7, "kitchen", ("가", "First"), ("", ""))),
        added(7, product(7, "kitchen", ("나", "Second"), ("", ""))),
    ];
    index.apply(&twice, &categories()).unwrap();
    assert_eq!(index.documents(), 6);
    assert!(names(&index, &ask("first")).is_empty());
}

fn pages(index: &Index, search: Search<'_>, mut between: impl FnMut()) -> Vec<Uuid> {
    let mut seen = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let found = index.search(&Search { after, ..search }).unwrap();
        assert!(found.items.len() <= search.limit);
        seen.extend(found.items.iter().map(|product| product.id));
        after = found.next;
        if after.is_none() {
            return seen;
        }
        between();
    }
}

#[test]
fn pages_fit_together_while_others_edit() {
    let index = Index::new().unwrap();
    let products = seed::products(1, 200);
    let changes: Vec<_> = (1..)
        .zip(products)
        .map(|(n, product)| added(n, product))
        .collect();
    index.apply(&changes, &categories()).unwrap();
    for search in [
        Search {
            limit: 7,
            ..ask("coffee 커피 wireless")
        },
        Search {
            limit: 7,
            ..ask("습니다")
        },
        Search {
            query: None,
            limit: 13,
            ..ask("")
        },
    ] {
        let at_once = index
            .search(&Search {
                limit: 1_000,
                ..search
            })
            .unwrap();
        let at_once: Vec<_> = at_once.items.iter().map(|product| product.id).collect();
        // Others add products that match as well; they are newer and come first, or not at all.
        let mut n = 10_000;
        let seen = pages(&index, search, || {
            n += 1;
            let name = ("습니다 커피", "Coffee Wireless");
            let new = added(n, product(n, "kitchen", name, ("", "")));
            index.apply(&[new], &categories()).unwrap();
        });
        let unique: BTreeSet<_> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "no product is shown twice");
        let seen: Vec<_> = seen.into_iter().filter(|id| at_once.contains(id)).collect();
        assert_eq!(seen, at_once, "no product is left out");
        let gone: Vec<_> = (10_001..=n).map(removed).collect();
        index.apply(&gone, &categories()).unwrap();
    }
}

#[test]
fn replicas_agree_whatever_their_history() {
    let products = seed::products(3, 120);
    let changes: Vec<_> = (1..)
        .zip(products)
        .map(|(n, product)| added(n, product))
        .collect();
    let (once, often) = (Index::new().unwrap(), Index::new().unwrap());
    once.apply(&changes, &categories()).unwrap();
    for change in changes.chunks(9).rev() {
        often.apply(change, &categories()).unwrap();
        often.apply(change, &categories()).unwrap();
    }
    for query in ["wireless 무선", "습니다", "coffee", "pen"] {
        let search = Search {
            limit: 25,
            ..ask(query)
        };
        assert_eq!(names(&once, &search), names(&often, &search), "{query}");
    }
}

#[test]
fn every_product_is_first_under_its_own_name() {
    let products = seed::products(4, 150);
    let index = Index::new().unwrap();
    let changes: Vec<_> = (1..)
        .zip(products.clone())
        .map(|(n, product)| added(n, product))
        .collect();
    index.apply(&changes, &categories()).unwrap();
    index.rest().unwrap();
    for product in products {
        let squeezed = product.name.ko.replace(' ', "");
        let shouted = product.name.en.to_uppercase();
        for query in [&product.name.ko, &product.name.en, &shouted] {
            let found = index.search(&ask(query)).unwrap();
            assert_eq!(found.items.first(), Some(&product), "{query}");
        }
        let found = index
            .search(&Search {
                limit: 150,
                ..ask(&squeezed)
            })
            .unwrap();
        assert!(found.items.contains(&product), "{squeezed}");
    }
}
