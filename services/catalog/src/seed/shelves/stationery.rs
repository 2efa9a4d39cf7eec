use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "stationery",
    adjectives: &[
        ("파스텔", "Pastel"),
        ("심플", "Simple"),
        ("가죽", "Leather"),
        ("투명", "Clear"),
        ("리필", "Refillable"),
        ("빈틈없는", "Neat"),
        ("한지", "Hanji"),
        ("데일리", "Everyday"),
    ],
    nouns: &[
        noun(
            ("노트", "Notebook"),
            (
                "만년필로 써도 번지지 않습니다.",
                "Ink does not bleed through.",
            ),
            3,
            29,
        ),
        noun(
            ("볼펜", "Ballpoint Pen"),
            ("끊김 없이 부드럽게 써집니다.", "Writes smoothly."),
            1,
            19,
        ),
        noun(
            ("만년필", "Fountain Pen"),
            ("초보자도 쓰기 쉬운 펜촉입니다.", "A nib that forgives."),
            19,
            189,
        ),
        noun(
            ("다이어리", "Diary"),
            ("1년을 하루 한 쪽씩 적습니다.", "A page for every day."),
            9,
            45,
        ),
        noun(
            ("필통", "Pencil Case"),
            ("펜 서른 자루가 들어갑니다.", "Holds thirty pens."),
            5,
            39,
        ),
        noun(
            ("스티커 세트", "Sticker Set"),
            (
                "떼어 낸 자국이 남지 않습니다.",
                "Comes off without a trace.",
            ),
            2,
            15,
        ),
        noun(
            ("형광펜", "Highlighter"),
            ("양쪽 굵기가 다릅니다.", "Two tips, two widths."),
            1,
            12,
        ),
        noun(
            ("가위", "Scissors"),
            ("두꺼운 종이도 잘립니다.", "Cuts thick paper."),
            3,
            25,
        ),
        noun(
            ("색연필 24색", "24 Coloured Pencils"),
            ("심이 쉽게 부러지지 않습니다.", "Leads that do not break."),
            7,
            59,
        ),
        noun(
            ("책갈피", "Bookmark"),
            ("책장을 상하게 하지 않습니다.", "Kind to the page."),
            1,
            15,
        ),
    ],
    facts: &[
        ("왼손잡이도 편하게 씁니다.", "Good for left-handers."),
        (
            "숲을 지키는 종이를 썼습니다.",
            "Paper from managed forests.",
        ),
        ("선물하기 좋습니다.", "Makes a good gift."),
        ("이름을 새겨 드립니다.", "Can be engraved."),
        ("가방에 쏙 들어갑니다.", "Slips into any bag."),
    ],
};
