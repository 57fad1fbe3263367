"""What gather.py looks for, and under which names."""

from __future__ import annotations

SIZE = 96
PIECES = ("king", "queen", "rook", "bishop", "knight", "pawn")
LETTERS = dict(zip("kqrbnp", PIECES, strict=True))
BAD_LICENCES = ("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0")
ICONS = "iconify-json"

FONTS = {
    "dejavu-sans": ("fonts-dejavu-core", "DejaVuSans.ttf", "Bitstream Vera + public domain"),
    "dejavu-bold": ("fonts-dejavu-core", "DejaVuSans-Bold.ttf", "Bitstream Vera + public domain"),
    "freeserif": ("fonts-freefont-ttf", "FreeSerif.ttf", "GPL-3.0+ with font exception"),
    "noto-symbols2": ("fonts-noto-core", "NotoSansSymbols2-Regular.ttf", "OFL-1.1"),
    "symbola": ("fonts-symbola", "Symbola_hint.ttf", "free for any use (Symbola)"),
    "unifont": ("fonts-unifont", "unifont.otf", "GPL-2.0+ with font exception"),
}
EMOJI = {
    "dog": "🐕🐶🐩",
    "cat": "🐈🐱",
    "horse": "🐎🐴",
    "elephant": "🐘",
    "butterfly": "🦋",
    "chicken": "🐔🐓",
    "cow": "🐄🐮🐂",
    "sheep": "🐑🐏",
    "spider": "🕷",
    "squirrel": "🐿",
}
ANIMAL_WORDS = {
    "dog": r"dog|puppy|poodle|guide-dog|dog-face|service-dog|dog-side|dog-sitting",
    "cat": r"cat|kitten|black-cat",
    "horse": r"horse|pony|horse-head|horse-variant|horse-zodiac",
    "elephant": r"elephant|circus-elephant",
    "butterfly": r"butterfly|butterfly-2",
    "chicken": r"chicken|hen|rooster|chicken-zodiac|chick-hen",
    "cow": r"cow|ox|bull|cow-face|water-buffalo|pet-animals-ox",
    "sheep": r"sheep|ram|ewe|lamb|sheep-zodiac",
    "spider": r"spider|angular-spider|hanging-spider|masked-spider|spider-alt",
    "squirrel": r"squirrel|chipmunk",
}
OTHER_SETS = (
    "noto",
    "openmoji",
    "emojione",
    "streamline-emojis",
    "tabler",
    "mdi",
    "ph",
    "lucide",
    "mingcute",
    "fa6-solid",
)
OTHER_WORDS = (
    "apple",
    "red-apple",
    "banana",
    "bicycle",
    "car",
    "automobile",
    "house",
    "home",
    "key",
    "umbrella",
    "bottle",
    "cup",
    "guitar",
    "heart",
    "star",
    "sun",
    "moon",
    "cloud",
    "tree",
    "leaf",
    "rocket",
    "airplane",
    "plane",
    "sailboat",
    "anchor",
    "bell",
    "book",
    "camera",
    "clock",
    "flag",
    "gift",
    "hammer",
    "lamp",
    "lock",
    "envelope",
    "mail",
    "pencil",
    "phone",
    "scissors",
    "wrench",
    "pizza",
    "cake",
    "flower",
    "rose",
    "cactus",
    "carrot",
    "strawberry",
    "grapes",
    "cherries",
    "truck",
    "bus",
    "train",
    "drum",
    "trophy",
    "football",
    "basketball",
    "soccer-ball",
    "hat",
    "glasses",
    "shirt",
    "t-shirt",
    "chair",
    "bed",
    "door",
    "ladder",
)
NOT_ANIMALS = (
    r"leg|oven|thigh|grilled|fried|coop|knife|flower|horn|skull|footprint|bowl|house|walker|memory|tag|"
    r"market|shelter|shield|toy|carousel|riding|racetrack|web|park|flap|file|shoe|saddle|avatar|hospital|"
    r"warning|human|off|no-|food|bone|hotdog|hot-dog|balloon|swipe|bot|bug|monitor|logo|php|linwood|cult"
)


# What may stand before and after the animal's name in an icon's name.
LEADS = "|".join(
    f"{word}-"
    for word in [
        "animal",
        "emoji",
        "nature",
        "pet-animals",
        "nature-ecology",
        "business-lucky",
        "crying",
        "kissing",
        "weary",
        "pouting",
        "grinning",
        "smiling",
    ]
)
STYLES = (
    r"filled|fill|line|outline|bold|thin|light|duotone|duo|regular|solid|linear|broken|flat|remix|"
    r"face|head|body|alt|negative|\d+|sitting|standing|walking|side|big|small|animal|emoji|nature|"
    r"with.*|crying|left|right"
)

NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
