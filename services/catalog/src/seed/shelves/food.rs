use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "food",
    adjectives: &[
        ("유기농", "Organic"),
        ("제주", "Jeju"),
        ("수제", "Handmade"),
        ("무설탕", "Sugar-Free"),
        ("매콤한", "Spicy"),
        ("고소한", "Nutty"),
        ("햇", "New-Harvest"),
        ("프리미엄", "Premium"),
    ],
    nouns: &[
        noun(
            ("녹차", "Green Tea"),
            (
                "첫물 잎만 골라 덖었습니다.",
                "First leaves only, pan-roasted.",
            ),
            8,
            49,
        ),
        noun(
            ("원두커피", "Coffee Beans"),
            (
                "주문을 받은 날 볶습니다.",
                "Roasted on the day of the order.",
            ),
            12,
            45,
        ),
        noun(
            ("김치", "Kimchi"),
            ("석 달 익혀 시원합니다.", "Three months in the jar."),
            9,
            49,
        ),
        noun(
            ("꿀", "Honey"),
            ("한 곳에서 나는 꿀만 담았습니다.", "From a single valley."),
            15,
            69,
        ),
        noun(
            ("견과 믹스", "Nut Mix"),
            ("하루 한 봉씩 나누어 담았습니다.", "One bag for each day."),
            9,
            39,
        ),
        noun(
            ("초콜릿", "Chocolate"),
            ("카카오 72%로 달지 않습니다.", "72 % cocoa, not too sweet."),
            4,
            35,
        ),
        noun(
            ("국수", "Noodles"),
            ("3분이면 삶아집니다.", "Cooked in three minutes."),
            3,
            25,
        ),
        noun(
            ("고추장", "Chilli Paste"),
            ("햇볕에 말린 고추로 담갔습니다.", "From sun-dried chillies."),
            7,
            35,
        ),
        noun(
            ("참기름", "Sesame Oil"),
            ("낮은 온도에서 짰습니다.", "Pressed at low heat."),
            8,
            39,
        ),
        noun(
            ("감귤", "Tangerines"),
            ("나무에서 익혀 땄습니다.", "Ripened on the tree."),
            12,
            45,
        ),
    ],
    facts: &[
        ("첨가물을 넣지 않았습니다.", "Nothing added."),
        ("농부에게서 바로 받아 옵니다.", "Straight from the farmer."),
        ("시원하게 포장해 보냅니다.", "Shipped cool."),
        ("해썹 인증 시설에서 만듭니다.", "Made under HACCP."),
        ("냉장고에서 보관하세요.", "Keep in the fridge."),
    ],
};
