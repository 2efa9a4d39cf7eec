use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "home",
    adjectives: &[
        ("원목", "Wooden"),
        ("북유럽풍", "Nordic"),
        ("모던", "Modern"),
        ("포근한", "Cozy"),
        ("벽걸이", "Wall-Mounted"),
        ("조립식", "Modular"),
        ("린넨", "Linen"),
        ("빈티지", "Vintage"),
    ],
    nouns: &[
        noun(
            ("책상", "Desk"),
            ("두 사람이 마주 앉아도 넉넉합니다.", "Wide enough for two."),
            89,
            459,
        ),
        noun(
            ("의자", "Chair"),
            (
                "오래 앉아도 허리가 편합니다.",
                "Kind to the back for hours.",
            ),
            49,
            389,
        ),
        noun(
            ("스탠드 조명", "Floor Lamp"),
            ("밝기를 다섯 단계로 바꿉니다.", "Five levels of brightness."),
            35,
            189,
        ),
        noun(
            ("책장", "Bookshelf"),
            (
                "무거운 책을 꽂아도 휘지 않습니다.",
                "Does not bend under heavy books.",
            ),
            59,
            329,
        ),
        noun(
            ("러그", "Rug"),
            ("맨발에 부드럽습니다.", "Soft under bare feet."),
            39,
            259,
        ),
        noun(
            ("커튼", "Curtains"),
            ("아침 햇빛을 막아 줍니다.", "Keeps the morning sun out."),
            29,
            149,
        ),
        noun(
            ("쿠션", "Cushion"),
            (
                "커버를 벗겨 빨 수 있습니다.",
                "The cover comes off for washing.",
            ),
            9,
            49,
        ),
        noun(
            ("수납함", "Storage Box"),
            ("쌓아 올릴 수 있습니다.", "Can be stacked."),
            7,
            49,
        ),
        noun(
            ("벽시계", "Wall Clock"),
            ("초침 소리가 나지 않습니다.", "Without a tick."),
            15,
            89,
        ),
        noun(
            ("화분", "Plant Pot"),
            ("물받침이 함께 들어 있습니다.", "With a saucer."),
            6,
            59,
        ),
    ],
    facts: &[
        ("조립에 10분이면 됩니다.", "Assembled in ten minutes."),
        (
            "친환경 도료로 마감했습니다.",
            "Finished with water-based paint.",
        ),
        ("작은 방에 잘 어울립니다.", "Fits small rooms."),
        ("세 가지 색이 있습니다.", "Comes in three colours."),
        (
            "문 앞까지 무료로 배송합니다.",
            "Delivered to the door for free.",
        ),
    ],
};
