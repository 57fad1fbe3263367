"""The closed sets of English words by which the strict reader takes sentences apart.

With `label_text` this is everything that it takes for granted of the language.
"""

from __future__ import annotations

from typing import Final

from pytest_llmclf.prompting.label_text import (
    BEFORE_LABEL,
    CARRIERS,
    DENIES,
    FUNCTION_WORDS,
    HEDGES,
    SUBJECTS,
    TAKES_BACK,
    VERBS,
    listed,
)

DETERMINER: Final = listed(
    "a an the this that these those one two three four five several some many its his her their "
    "my our your another each every all both single only"
)
"""Words that begin a noun phrase."""

NO_MODIFIER: Final = (
    DETERMINER
    | DENIES
    | HEDGES
    | TAKES_BACK
    | listed(
        # prepositions and conjunctions
        "in on at of with by from to for as under over above below beside behind near between "
        "among against inside outside within into onto across along around through during before "
        "after about per via plus minus and or but nor so if than because since while whose which "
        "who that what where when how why there here "
        # pronouns and verbs
        "i you he she it we they me him them is are was were be been being am has have had do "
        "does did can could will would shall should may might must let lets see sees seen saw "
        "show shows shown depicts contains features represents displays indicates includes has "
        "says said reads called named labeled labelled classified made makes make making looks "
        "look looked looking appears seems eats ate chases chased drew draws painted paints holds "
        "holding rides riding wearing wears walks carrying feeding petting hugging eating chasing "
        "hunting catching watching buying selling using drawing painting training milking racing "
        "yes okay ok "
        # people and things that have the label, or stand beside it
        "man woman men women boy girl child children kid kids person people someone hand hands "
        "lady guy baby rider farmer player background foreground shape size color colour texture "
        "list question answer label labels options"
    )
)
"""Words that are no part of a label's noun phrase, or make it about another thing."""

OTHER_THING: Final = listed(
    "toy plush stuffed teddy rubber gummy inflatable origami fake false mock pseudo artificial "
    "imitation replica statue costume former future non anti pre near semi half quasi so-called "
    "hobby trojan pommel guinea prairie drag homecoming borderline nearly mostly partly "
    "partially less barely hardly abnormal sub un extinct mythical balloon fried roast roasted "
    "grilled raw cooked minced"
)
"""Words that make another thing of what most labels name."""

OTHER_NAMES: Final = frozenset(
    tuple(pair.split())
    for pair in (
        "hot dog", "corn dog", "raccoon dog", "chili dog", "sea dog", "sun dog", "big cat",
        "wild cat", "civet cat", "pole cat", "copy cat", "sea cat", "sea horse", "rocking horse",
        "saw horse", "clothes horse", "iron horse", "river horse", "vaulting horse", "dark horse",
        "sea cow", "cash cow", "sea lion", "ant lion", "mountain lion", "sea elephant",
        "sea spider", "koala bear", "water bear", "ant bear", "red panda", "flying fox",
        "jelly fish", "star fish", "cuttle fish", "cray fish", "silver fish", "mantis shrimp",
        "dragon fly", "butter fly", "fire fly", "sand dollar", "desert rose", "compass rose",
        "christmas rose", "rock rose", "tiger lily", "water lily", "peace lily", "custard apple",
        "oak apple", "adam's apple", "love apple", "pine apple", "star fruit", "sweet potato",
        "jelly bean", "horse radish", "horse chestnut", "water chestnut", "egg plant",
        "power plant", "rice cake", "crab cake", "fish cake", "peanut butter", "ice cream",
        "wheel chair", "cable car", "railway car", "train car", "street car", "fish tank",
        "water tank", "gas tank", "wax seal", "baseball bat", "cricket bat", "construction crane",
        "tower crane", "boxing ring", "piano key", "computer mouse", "magnifying glass",
        "hour glass", "space ship", "air ship", "air plane", "green house", "light house",
        "bird house", "bus stop", "truck stop", "pit stop", "full stop", "door stop", "rest stop",
        "taxi stop", "tram stop", "lady bird", "jail bird", "under shirt", "air bag",
        "punching bag", "bean bag", "burger king", "lion king", "wild dog", "dairy queen",
        "beauty queen", "pop queen", "pop king",
    )
)  # fmt: skip
"""Names of two words whose last word is not what they name, or might not be what a label means."""

DOMAIN: Final = CARRIERS & listed(
    "animal digit number numeral letter piece chess image picture photo photograph drawing "
    "illustration class category label object"
) | listed(
    "hand field waste text light then sign signs symbol character flower flowers blossom blossoms "
    "species breed type kind scan x-ray defect defects damage area areas region scene "
    "landscape terrain zone gesture expression emotion vehicle fruit vegetable cloud clouds cell "
    "cells bird birds script alphabet lesion document instrument weather sky plane garment item "
    "radiograph radiography mri ct study exam examination "
    "pieces animals letters digits here there too itself specifically indeed overall face pose"
)
"""Nouns that may follow a label and say what it is one of ("stop sign"); and adverbs."""

CHEST: Final = listed("x-ray xray x-rays radiograph film ct scan image radiography study")
"""Words behind "chest" with which it is no furniture."""

SIGNS_OF: Final = listed("evidence sign signs indication indications trace traces finding findings")
"""Words behind "no" that begin what was looked for and is missing."""

UNITS: Final = listed("km/h kmh kph mph")
"""Units behind the number that ends a label of several words."""

NOT_AHEAD: Final = listed("stop yield give")
"""Signs that another sign announces with "ahead"."""

SHOWN: Final = listed(
    "visible shown seen depicted present displayed pictured captured drawn written photographed "
    "represented detected identified recognizable recognisable evident apparent clearly here "
    "there in on at seated centred centered located positioned placed perched parked"
)
"""Words behind "is" that say that the image shows what is before it."""

VERBS_BEHIND: Final = listed(
    "is are was were has have had sits stands lies walks runs fits applies matches describes suits"
)
"""Verbs of which a label may be the subject."""

NOT_THERE: Final = listed(
    "a an the actually really out gone hidden nowhere supposed wrong incorrect excluded"
)
"""Words behind such a verb after which the label is not what the image shows."""

NOUNS_AS_PARTICIPLES: Final = listed(
    "breed steed painting drawing building clothing ceiling string thing earring lightning "
    "racing riding training wedding meeting sibling duckling crossing housing bedding breeding "
    "milking fighting hunting stuffing dressing seed weed"
)
"""Nouns that end as a participle does."""

OPENS_ANYWHERE: Final = listed("but however although though whereas because despite therefore")
"""Words that begin a clause wherever they stand."""

LEADS_IN: Final = OPENS_ANYWHERE | listed(
    "so thus hence and yet actually wait sorry instead rather correction only then okay"
)
"""First words of a clause that only join it to what was said."""

OPENS_BEHIND_COMMA: Final = listed(
    "only it it's this that's these those they i i'd i'm i'll we there there's here here's so "
    "thus hence which who as given since while whilst even yet making and my actually no wait "
    "sorry instead rather correction in not"
)
"""Words that begin a clause behind a comma, colon or dash."""

SUBJECT_PRONOUNS: Final = listed("everything it it's this that's these they i i'd we there there's")
"""Subjects that stand for the image, or for what it shows."""

CONCEDES: Final = listed("although though while whilst despite whereas even")
"""First words of a clause that says what could be thought, and not what is."""

CONCEDED: Final = listed("initially thought glance sight")
"""Words by which a clause says what was thought first."""

HAS_WHAT: Final = listed("have has had show display lack appear look be need")
"""Verbs behind "would" that say what another label would be like."""

FAVOURS: Final = listed(
    "better best more most likely possible my the a an correct right appropriate suitable also too"
)
"""Words behind "would be" that speak for a label."""

COMPARES: Final = listed(
    "like unlike similar resembles resemble resembling resembled reminiscent than related "
    "confused mistaken mistake reminds remind"
)
"""Words behind which a label is what something is like, and not what it is."""

MEASURES: Final = listed(
    "confidence probability probabilities score scores certainty count counts index id rank "
    "percent percentage version likelihood prob logprob page year width height size"
)
"""Names of values that measure, and are not the answer."""

NOT_ASKED: Final = listed(
    "alternative alternatives second other others runner rejected discarded negative wrong "
    "incorrect false background nearby beside surroundings candidate candidates option options "
    "choices possible labels classes categories list example examples previous question prompt "
    "differential allowed input error blurry quality ambiguous uncertain needs secondary also "
    "valid visible color colour reason reasoning explanation note notes comment"
)
"""Words of a value's name that make it another thing than the answer."""

DOUBTS: Final = (HEDGES - COMPARES - {"looks"}) | listed(
    "maybe perhaps possibly possible might unsure uncertain unclear unlikely questionable "
    "doubtful unless suspicious suspected suggestive suggest doubt doubts potentially potential "
    "presumably tentative tentatively supposedly pretending please upload"
)
"""Words that keep a clause from asserting."""

LACKS: Final = DENIES | listed(
    "lack lacks lacking anything absent missing excluded exclude excludes rules ruled ruling fails"
)
"""Words behind which a label is denied."""

CERTAIN: Final = (
    ("no", "doubt"), ("without", "a", "doubt"), ("without", "doubt"), ("without", "any", "doubt"),
    ("no", "question"), ("nothing", "but"), ("none", "other", "than"), ("not", "only"),
    ("nothing", "else"),
    *(("if", "i", "had", "to", verb) for verb in ("choose", "pick", "select", "decide")),
    ("most", "likely"), ("most", "probably"),
)  # fmt: skip
"""Phrases that deny or doubt in form only."""

SAYS: Final = (
    BEFORE_LABEL
    | SUBJECTS
    | VERBS
    | listed(
        "i'm seeing looking you've uploaded shared provided posted attached sent let's that'd "
        "it'd consider deem i'd i'll i'm i go going went with pick picking picked choose choosing "
        "chose select selecting opt opting settle settling settled for call calling vote assign "
        "give means mean meant equals makes making confirms identify identifies recognize "
        "recognise spot detect found find so therefore thus hence overall finally conclusion "
        "reads called named known belongs another further"
    )
)
"""Words that may stand before a noun phrase that is asserted."""

PEOPLE: Final = listed(
    "man woman men women boy girl child children kid person people hand hands lady rider farmer "
    "player players team teams someone"
)
"""People and hands, who hold or do what the label names."""

IMAGES: Final = listed("image picture photo photograph scene illustration drawing shot view frame")
"""What an answer calls the image."""

SAID_BY: Final = listed("i we believe think would say can see that conclude")
"""Words by which the answer says that it says something."""

PARTS: Final = listed(
    "quality resolution lighting exposure position positioning brightness contrast background "
    "foreground sky wall walls floor grass size heart head heads body tail ear ears eye eyes nose "
    "leg legs paw paws wing wings petal petals stem leaves branch top bottom left right side "
    "sides corner edge edges center centre middle rest other others owner rider lung lungs "
    "silhouette bone bones rib ribs mediastinum diaphragm volume volumes contour contours angle "
    "angles pleura trachea vessels skin fur coat hair beak face mouth teeth horn horns feather "
    "feathers pattern texture length width height weight number price name title text caption "
    "question prompt list first second third half most some neighbour neighbor next previous "
    "upper lower nucleus granules border borders"
)
"""Subjects that are a part of what is asked about, or a property of it."""

CUES: Final = tuple(
    tuple(cue.split())
    for cue in (
        "playing", "made of", "made from", "affected by", "infected with", "infected by",
        "known as", "belong to", "text is in", "signs of", "symptoms of", "under", "belongs to",
        "consists of", "diagnosed with", "written in", "making it", "makes it", "match",
        "matches", "indicate", "indicates", "typical of", "characteristic of", "features of",
        "points to", "point to", "it as", "taken at", "taken during", "covered with",
        "covered in", "covered by", "filled with", "full of", "consistent with",
        "compatible with", "in keeping with", "indicative of", "diagnostic of", "stands for",
        "falls into", "qualifies as", "make this", "makes this", "make that", "makes that",
        "make it", "making this",
    )
)  # fmt: skip
"""Last words before a label that say what the image is, whatever the subject."""

SORTED_INTO: Final = tuple(
    tuple(cue.split())
    for cue in (
        "should go in",
        "should go into",
        "goes in",
        "goes into",
        "belongs in",
        "belongs into",
        "should be put in",
        "should be put into",
        "should be placed in",
        "should be thrown into",
        "must go in",
        "must go into",
        "should be sorted into",
        "is sorted into",
        "has to go in",
    )
)
"""Last words before a label into which what is asked about is sorted."""

BINS: Final = listed("bin bins container recycling box bag")
"""What waste is sorted into; the word before it is the label."""

CLASSES: Final = listed("class category suit type kind group set")
"""Nouns that "of" joins to a label that they are a class for ("belongs to the suit of ...")."""

JUDGES: Final = listed("normal ok okay good healthy fine clean clear intact")
"""Labels that are said of a part as well, of which the image is not one yet."""

INTRODUCES: Final = listed("of among in from on based looking out given")
"""First words of a phrase before a comma that names grounds or place."""

BESIDE: Final = listed("next beside before after above below under behind near except")
"""Words behind which a thing is beside what the image shows."""

SCENE: Final = PEOPLE | listed(
    "holding riding wearing wears holds rides carrying petting hugging feeding walking with "
    "making forming signing his her their"
)
"""Words that may stand before a label in a scene with people."""

SUBJECT_NOUNS: Final = (CARRIERS | SUBJECTS | BEFORE_LABEL) - FUNCTION_WORDS
"""Nouns and adjectives of subjects that are what is asked about."""

PLACES: Final = listed("in on at of middle center centre foreground")
"""Words of places that a subject may be joined by."""

ATTACHES: Final = listed("in on at of with by from for shown depicted that which who to")
"""Words that join a description to a subject's head."""

EXISTS: Final = listed("there there's see spot with holding riding walking petting carrying")
"""Words of a clause that says what is there, perhaps beside other things."""

CONCLUDES: Final = listed("so therefore thus hence overall finally final conclusion answer")
"""Words by which an answer concludes."""

COLOUR: Final = listed("color colour colored coloured")
"""Words of a clause that speaks of a colour."""

COLOURS: Final = listed("red green blue yellow black white")
"""Colours of which one is a label where labels are colours."""

COLOURED: Final = listed("orange rose violet lavender peach olive lime coral salmon cherry plum")
"""Things that are the name of a colour, too."""

AUXILIARY: Final = listed("is are was were has have does do can could seems appears")
"""Verbs by which a denial behind a label denies it ("a cat is not visible")."""
