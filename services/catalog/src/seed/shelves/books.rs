use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "books",
    adjectives: &[
        ("처음 만나는", "First Steps in"),
        ("쉽게 배우는", "Easy"),
        ("그림으로 보는", "Illustrated"),
        ("하루 한 장", "Daily"),
        ("깊이 읽는", "A Deeper Look at"),
        ("주머니 속", "Pocket Guide to"),
        ("함께 읽는", "Reading Together:"),
        ("새로 쓴", "The New"),
    ],
    nouns: &[
        noun(
            ("한국사", "Korean History"),
            (
                "고조선부터 오늘까지 한 권에 담았습니다.",
                "From the first kingdom to today.",
            ),
            14,
            35,
        ),
        noun(
            ("러스트 프로그래밍", "Rust Programming"),
            ("소유권을 예제로 배웁니다.", "Ownership, by example."),
            25,
            45,
        ),
        noun(
            ("천문학", "Astronomy"),
            (
                "맨눈으로 볼 수 있는 별부터 시작합니다.",
                "Begins with the stars you can see.",
            ),
            16,
            39,
        ),
        noun(
            ("커피", "Coffee"),
            (
                "원두 고르기부터 추출까지 다룹니다.",
                "From choosing beans to brewing.",
            ),
            13,
            29,
        ),
        noun(
            ("영어 회화", "English Conversation"),
            (
                "여행에서 바로 쓰는 문장입니다.",
                "Sentences for the next journey.",
            ),
            12,
            27,
        ),
        noun(
            ("세계 지리", "World Geography"),
            ("지도 120장이 실려 있습니다.", "With 120 maps."),
            18,
            42,
        ),
        noun(
            ("정원 가꾸기", "Gardening"),
            (
                "베란다에서 시작하는 작은 정원입니다.",
                "A small garden on the balcony.",
            ),
            14,
            32,
        ),
        noun(
            ("통계학", "Statistics"),
            (
                "숫자에 속지 않는 법을 알려 줍니다.",
                "How not to be fooled by numbers.",
            ),
            19,
            38,
        ),
        noun(
            ("동화", "Fairy Tales"),
            (
                "아이와 소리 내어 읽기 좋습니다.",
                "For reading aloud with children.",
            ),
            9,
            24,
        ),
        noun(
            ("사진", "Photography"),
            ("빛을 보는 눈을 길러 줍니다.", "Trains the eye for light."),
            17,
            48,
        ),
    ],
    facts: &[
        ("320쪽, 양장본입니다.", "320 pages, hardcover."),
        ("올해의 책으로 뽑혔습니다.", "Chosen as a book of the year."),
        (
            "연습 문제와 풀이가 있습니다.",
            "With exercises and answers.",
        ),
        ("글씨가 커서 읽기 편합니다.", "Large print, easy to read."),
        ("전자책도 함께 드립니다.", "The e-book is included."),
    ],
};
