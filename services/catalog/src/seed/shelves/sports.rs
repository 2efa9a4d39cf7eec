use super::{Shelf, noun};

pub(super) const SHELF: Shelf = Shelf {
    category: "sports",
    adjectives: &[
        ("미끄럼 방지", "Non-Slip"),
        ("초보자용", "Beginner"),
        ("경량", "Lightweight"),
        ("통기성", "Breathable"),
        ("야외용", "Outdoor"),
        ("조절식", "Adjustable"),
        ("프로", "Pro"),
        ("여행용", "Travel"),
    ],
    nouns: &[
        noun(
            ("요가 매트", "Yoga Mat"),
            (
                "두께 8mm로 무릎이 편합니다.",
                "Eight millimetres, kind to the knees.",
            ),
            15,
            79,
        ),
        noun(
            ("아령 세트", "Dumbbell Set"),
            ("무게를 여섯 단계로 바꿉니다.", "Six weights in one."),
            29,
            199,
        ),
        noun(
            ("러닝화", "Running Shoes"),
            ("착지할 때 충격을 줄입니다.", "Soften every landing."),
            59,
            219,
        ),
        noun(
            ("캠핑 의자", "Camping Chair"),
            ("가방에 들어가는 크기로 접힙니다.", "Folds into a bag."),
            19,
            99,
        ),
        noun(
            ("텐트", "Tent"),
            (
                "네 사람이 자고도 자리가 남습니다.",
                "Sleeps four with room to spare.",
            ),
            79,
            489,
        ),
        noun(
            ("등산 스틱", "Trekking Poles"),
            ("손잡이가 땀에 젖지 않습니다.", "Grips that stay dry."),
            25,
            129,
        ),
        noun(
            ("자전거 헬멧", "Bike Helmet"),
            ("뒤에 안전등이 있습니다.", "With a light at the back."),
            29,
            159,
        ),
        noun(
            ("줄넘기", "Jump Rope"),
            ("길이를 쉽게 바꿉니다.", "Easily shortened."),
            5,
            29,
        ),
        noun(
            ("수영 고글", "Swimming Goggles"),
            ("김이 서리지 않습니다.", "Do not fog."),
            12,
            59,
        ),
        noun(
            ("배드민턴 라켓", "Badminton Racket"),
            ("셔틀콕 세 개가 들어 있습니다.", "With three shuttlecocks."),
            19,
            149,
        ),
    ],
    facts: &[
        ("전용 가방이 들어 있습니다.", "Carrying bag included."),
        ("땀과 물에 강합니다.", "Resists sweat and water."),
        ("접으면 한 손으로 듭니다.", "Folded, one hand carries it."),
        (
            "국가대표 선수와 함께 만들었습니다.",
            "Developed with national athletes.",
        ),
        ("집에서도 쓰기 좋습니다.", "Good at home too."),
    ],
};
