use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "toys",
    adjectives: &[
        ("나무", "Timber"),
        ("말랑말랑", "Squishy"),
        ("자석", "Magnetic"),
        ("알록달록", "Colourful"),
        ("움직이는", "Moving"),
        ("대형", "Giant"),
        ("친환경", "Eco"),
        ("노래하는", "Singing"),
    ],
    nouns: &[
        noun(
            ("블록 세트", "Building Blocks"),
            (
                "100조각으로 무엇이든 만듭니다.",
                "A hundred pieces for anything.",
            ),
            15,
            89,
        ),
        noun(
            ("곰 인형", "Teddy Bear"),
            ("꼭 안고 자기 좋습니다.", "Made to be hugged."),
            12,
            69,
        ),
        noun(
            ("기차", "Train"),
            ("철로 스무 개가 들어 있습니다.", "With twenty rails."),
            19,
            119,
        ),
        noun(
            ("퍼즐 500조각", "500-Piece Puzzle"),
            ("온 가족이 한 주말을 보냅니다.", "A weekend for the family."),
            9,
            39,
        ),
        noun(
            ("보드게임", "Board Game"),
            ("둘에서 여섯 명까지 함께 합니다.", "For two to six players."),
            15,
            69,
        ),
        noun(
            ("로봇", "Robot"),
            ("스스로 벽을 피해 다닙니다.", "Finds its way around walls."),
            25,
            159,
        ),
        noun(
            ("공룡", "Dinosaur"),
            (
                "진짜 화석을 보고 만들었습니다.",
                "Modelled on real fossils.",
            ),
            7,
            59,
        ),
        noun(
            ("소꿉놀이", "Play Kitchen"),
            (
                "그릇과 과일이 함께 들어 있습니다.",
                "With dishes and fruit.",
            ),
            25,
            139,
        ),
        noun(
            ("팽이", "Spinning Top"),
            ("3분 넘게 돕니다.", "Spins for three minutes."),
            4,
            25,
        ),
        noun(
            ("연", "Kite"),
            ("바람이 약해도 잘 납니다.", "Flies in a light wind."),
            6,
            35,
        ),
    ],
    facts: &[
        ("세 살부터 가지고 놀 수 있습니다.", "For ages three and up."),
        ("모서리를 둥글게 다듬었습니다.", "With rounded edges."),
        (
            "어린이 안전 인증을 받았습니다.",
            "Certified safe for children.",
        ),
        ("건전지가 필요 없습니다.", "Needs no batteries."),
        ("물로 닦을 수 있습니다.", "Wipes clean."),
    ],
};
