use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "beauty",
    adjectives: &[
        ("촉촉한", "Moisturising"),
        ("순한", "Gentle"),
        ("비건", "Vegan"),
        ("무향", "Fragrance-Free"),
        ("녹차", "Green Tea"),
        ("알로에", "Aloe"),
        ("비타민", "Vitamin"),
        ("산뜻한", "Fresh"),
    ],
    nouns: &[
        noun(
            ("핸드크림", "Hand Cream"),
            ("바르고 나서 끈적이지 않습니다.", "Leaves no stickiness."),
            5,
            29,
        ),
        noun(
            ("선크림", "Sunscreen"),
            (
                "하얗게 뜨지 않는 SPF50+입니다.",
                "SPF 50+ without a white cast.",
            ),
            12,
            39,
        ),
        noun(
            ("샴푸", "Shampoo"),
            ("두피를 시원하게 씻어 줍니다.", "Leaves the scalp fresh."),
            9,
            45,
        ),
        noun(
            ("세안제", "Face Wash"),
            ("화장까지 깨끗이 지웁니다.", "Takes make-up off too."),
            8,
            35,
        ),
        noun(
            ("토너", "Toner"),
            ("세안 뒤 당김을 줄입니다.", "Calms the skin after washing."),
            11,
            49,
        ),
        noun(
            ("마스크팩 10장", "Face Masks, 10 Sheets"),
            (
                "15분이면 피부가 편안해집니다.",
                "Fifteen minutes for calmer skin.",
            ),
            9,
            39,
        ),
        noun(
            ("립밤", "Lip Balm"),
            (
                "겨울에도 입술이 트지 않습니다.",
                "Against chapped lips in winter.",
            ),
            4,
            19,
        ),
        noun(
            ("보디로션", "Body Lotion"),
            ("온 가족이 함께 씁니다.", "For the whole family."),
            9,
            45,
        ),
        noun(
            ("비누", "Soap"),
            ("거품이 풍성합니다.", "A rich lather."),
            3,
            19,
        ),
        noun(
            ("향수", "Perfume"),
            ("향이 은은하게 오래갑니다.", "A scent that stays."),
            39,
            189,
        ),
    ],
    facts: &[
        (
            "민감한 피부에 시험을 마쳤습니다.",
            "Tested on sensitive skin.",
        ),
        ("동물 실험을 하지 않습니다.", "Not tested on animals."),
        ("재활용 용기에 담았습니다.", "In a recycled bottle."),
        ("인공 색소가 없습니다.", "No artificial colours."),
        (
            "개봉 뒤 12개월까지 쓸 수 있습니다.",
            "Good for twelve months after opening.",
        ),
    ],
};
