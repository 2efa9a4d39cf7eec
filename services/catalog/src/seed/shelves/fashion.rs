use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "fashion",
    adjectives: &[
        ("면", "Cotton"),
        ("울", "Wool"),
        ("오버핏", "Oversized"),
        ("슬림핏", "Slim"),
        ("가벼운", "Light"),
        ("방풍", "Windproof"),
        ("캐주얼", "Casual"),
        ("줄무늬", "Striped"),
    ],
    nouns: &[
        noun(
            ("티셔츠", "T-Shirt"),
            (
                "여러 번 빨아도 목이 늘어나지 않습니다.",
                "The collar keeps its shape.",
            ),
            12,
            59,
        ),
        noun(
            ("셔츠", "Shirt"),
            ("다림질이 거의 필요 없습니다.", "Hardly needs ironing."),
            25,
            99,
        ),
        noun(
            ("재킷", "Jacket"),
            ("안주머니가 두 개 있습니다.", "With two inner pockets."),
            59,
            289,
        ),
        noun(
            ("청바지", "Jeans"),
            (
                "움직임이 편한 신축성 원단입니다.",
                "A fabric that moves with you.",
            ),
            35,
            139,
        ),
        noun(
            ("스웨터", "Sweater"),
            ("까슬거리지 않고 따뜻합니다.", "Warm without itching."),
            39,
            169,
        ),
        noun(
            ("운동화", "Sneakers"),
            ("종일 걸어도 발이 편합니다.", "Comfortable all day."),
            49,
            189,
        ),
        noun(
            ("양말 5켤레", "Socks, 5 Pairs"),
            ("발목이 조이지 않습니다.", "Do not pinch."),
            6,
            29,
        ),
        noun(
            ("모자", "Cap"),
            ("뒤에서 크기를 조절합니다.", "Adjustable at the back."),
            12,
            59,
        ),
        noun(
            ("백팩", "Backpack"),
            ("15인치 노트북이 들어갑니다.", "Holds a 15-inch laptop."),
            39,
            199,
        ),
        noun(
            ("목도리", "Scarf"),
            (
                "길어서 두 번 감을 수 있습니다.",
                "Long enough to wrap twice.",
            ),
            15,
            89,
        ),
    ],
    facts: &[
        (
            "찬물에 세탁기로 빨 수 있습니다.",
            "Machine washable in cold water.",
        ),
        ("정사이즈로 나왔습니다.", "True to size."),
        (
            "유기농 인증을 받은 원단입니다.",
            "Certified organic fabric.",
        ),
        ("사계절 입기 좋습니다.", "For all seasons."),
        (
            "30일 안에 무료로 교환해 드립니다.",
            "Free exchange within 30 days.",
        ),
    ],
};
