use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "kitchen",
    adjectives: &[
        ("스테인리스", "Stainless"),
        ("도자기", "Ceramic"),
        ("유리", "Glass"),
        ("미니", "Mini"),
        ("전문가용", "Professional"),
        ("대용량", "Large"),
        ("손잡이 달린", "Handled"),
        ("클래식", "Classic"),
    ],
    nouns: &[
        noun(
            ("머그컵", "Mug"),
            (
                "아침 커피 한 잔에 알맞은 크기입니다.",
                "The right size for a morning coffee.",
            ),
            6,
            29,
        ),
        noun(
            ("프라이팬", "Frying Pan"),
            (
                "기름을 적게 써도 눌어붙지 않습니다.",
                "Nothing sticks, even with little oil.",
            ),
            19,
            89,
        ),
        noun(
            ("냄비", "Cooking Pot"),
            ("라면부터 찌개까지 두루 씁니다.", "From noodles to stew."),
            22,
            129,
        ),
        noun(
            ("커피 그라인더", "Coffee Grinder"),
            ("원두를 고르게 갈아 줍니다.", "Grinds beans evenly."),
            29,
            189,
        ),
        noun(
            ("전기 주전자", "Electric Kettle"),
            (
                "물이 3분 안에 끓습니다.",
                "Boils water within three minutes.",
            ),
            25,
            99,
        ),
        noun(
            ("식칼", "Kitchen Knife"),
            (
                "날이 오래가고 손에 잘 잡힙니다.",
                "Keeps its edge and sits well in the hand.",
            ),
            18,
            159,
        ),
        noun(
            ("밀폐 용기", "Food Container"),
            (
                "국물이 새지 않고 냄새가 배지 않습니다.",
                "Does not leak and takes on no smell.",
            ),
            5,
            39,
        ),
        noun(
            ("찻주전자", "Teapot"),
            (
                "잎차를 우리기 좋은 거름망이 있습니다.",
                "With a strainer for loose leaves.",
            ),
            15,
            79,
        ),
        noun(
            ("도마", "Cutting Board"),
            ("칼자국이 잘 남지 않습니다.", "Knives leave hardly a mark."),
            9,
            59,
        ),
        noun(
            ("물병", "Water Bottle"),
            (
                "얼음이 열두 시간 남아 있습니다.",
                "Keeps ice for twelve hours.",
            ),
            9,
            45,
        ),
    ],
    facts: &[
        ("식기세척기에 넣어도 됩니다.", "Dishwasher safe."),
        (
            "인덕션에서도 쓸 수 있습니다.",
            "Works on induction hobs too.",
        ),
        ("선물 상자에 담아 드립니다.", "Comes in a gift box."),
        ("환경호르몬이 나오지 않는 소재입니다.", "Free of BPA."),
        ("한국에서 만들었습니다.", "Made in Korea."),
    ],
};
