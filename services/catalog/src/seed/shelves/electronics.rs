use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "electronics",
    adjectives: &[
        ("무선", "Wireless"),
        ("휴대용", "Portable"),
        ("초경량", "Ultralight"),
        ("스마트", "Smart"),
        ("저소음", "Quiet"),
        ("방수", "Waterproof"),
        ("고속", "High-Speed"),
        ("접이식", "Foldable"),
    ],
    nouns: &[
        noun(
            ("이어폰", "Earphones"),
            (
                "출퇴근길에 음악을 듣기 좋습니다.",
                "Made for music on the way to work.",
            ),
            29,
            259,
        ),
        noun(
            ("헤드폰", "Headphones"),
            (
                "귀를 편안하게 감싸고 주변 소음을 줄여 줍니다.",
                "Soft around the ears, with noise cancelling.",
            ),
            49,
            429,
        ),
        noun(
            ("블루투스 스피커", "Bluetooth Speaker"),
            (
                "작은 몸체에서 넓은 소리가 납니다.",
                "A wide sound from a small body.",
            ),
            25,
            199,
        ),
        noun(
            ("27인치 모니터", "27-Inch Monitor"),
            (
                "선명한 QHD 화면으로 눈이 편합니다.",
                "A sharp QHD screen that is easy on the eyes.",
            ),
            189,
            549,
        ),
        noun(
            ("기계식 키보드", "Mechanical Keyboard"),
            (
                "누르는 맛이 분명하고 스위치를 바꿀 수 있습니다.",
                "A clear touch and switches that can be changed.",
            ),
            59,
            229,
        ),
        noun(
            ("마우스", "Mouse"),
            (
                "손목에 무리가 가지 않는 모양입니다.",
                "Shaped to spare the wrist.",
            ),
            15,
            119,
        ),
        noun(
            ("보조 배터리", "Power Bank"),
            (
                "스마트폰을 세 번까지 충전합니다.",
                "Charges a phone up to three times.",
            ),
            19,
            79,
        ),
        noun(
            ("USB-C 충전기", "USB-C Charger"),
            ("노트북까지 한 번에 충전합니다.", "Charges a laptop too."),
            19,
            69,
        ),
        noun(
            ("태블릿 거치대", "Tablet Stand"),
            (
                "각도를 자유롭게 바꿀 수 있습니다.",
                "Holds a tablet at any angle.",
            ),
            12,
            49,
        ),
        noun(
            ("웹캠", "Webcam"),
            (
                "어두운 방에서도 얼굴이 또렷합니다.",
                "A clear face even in a dim room.",
            ),
            29,
            139,
        ),
    ],
    facts: &[
        (
            "한 번 충전하면 하루 종일 쓸 수 있습니다.",
            "One charge lasts all day.",
        ),
        (
            "2년 무상 보증이 함께합니다.",
            "Comes with a two-year warranty.",
        ),
        (
            "설명서는 한국어와 영어로 되어 있습니다.",
            "Manual in Korean and English.",
        ),
        (
            "재활용 알루미늄으로 만들었습니다.",
            "Made of recycled aluminium.",
        ),
        ("케이블이 들어 있습니다.", "Cable included."),
    ],
};
