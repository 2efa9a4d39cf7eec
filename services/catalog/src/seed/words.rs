//! What the shop's shelves hold, Korean and English side by side.

/// Korean and English.
pub(super) type Pair = (&'static str, &'static str);

pub(super) struct Noun {
    pub(super) name: Pair,
    /// One sentence about it.
    pub(super) about: Pair,
    /// Lowest and highest price, in thousands of won.
    pub(super) thousands: (i64, i64),
}

pub(super) struct Shelf {
    pub(super) category: &'static str,
    pub(super) adjectives: &'static [Pair],
    pub(super) nouns: &'static [Noun],
    /// Sentences that are true of anything on the shelf.
    pub(super) facts: &'static [Pair],
}

const fn noun(name: Pair, about: Pair, low: i64, high: i64) -> Noun {
    Noun {
        name,
        about,
        thousands: (low, high),
    }
}

pub(super) const SHELVES: [Shelf; 10] = [
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
    Shelf {
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
    },
];
