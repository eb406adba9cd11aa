"""English words by what they do in captions, for a chunker that downloads nothing.

Closed classes are complete as far as captions use them; the open ones hold what suffixes do not tell.
"""

from fiber.data.function_words import DETERMINERS as COMMON_DETERMINERS


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Phrases between commas, as words."""
    return tuple(tuple(phrase.split()) for phrase in text.split(","))


DETERMINERS = frozenset(COMMON_DETERMINERS) | words(
    "her my your our another all both either neither no such what whichever whose"
)
NUMBERS = words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty hundred thousand dozen several many few multiple various "
    "numerous countless plenty most more much"
)
PRONOUNS = words(
    "i you he she it we they me him us them myself yourself himself herself itself ourselves themselves mine yours "
    "hers ours theirs someone somebody something anyone anybody anything everyone everybody everything nobody nothing "
    "none others there here it's he's she's there's that's they're we're you're i'm who's who whom which whoever "
    "whatever"
)
PREPOSITIONS = words(
    "in on at by for from with without into onto to toward towards through throughout across along alongside around "
    "about above below under underneath beneath behind beside besides between among amongst amid against atop over "
    "near off upon within inside outside past during before after since until till like unlike up down out beyond via "
    "per except despite amidst aboard than opposite round"
)
COORDINATIONS = words("and or & nor plus")
CLAUSE_OPENERS = words("while whilst as because when where whereas although though if that so but whether how why once")
"""What follows has a subject and a verb of its own, or is a relative clause."""
HAVE = words("has have had having hasn't haven't hadn't")
MODALS = words(
    "can could will would should may might must do does did don't doesn't didn't can't couldn't won't cannot let lets"
)
AUXILIARIES = HAVE | MODALS | words("am is are was were be been being isn't aren't wasn't weren't gets get got")
ADVERBS = words(
    "very too quite rather really so just also even still already almost only not never always often again ever "
    "perhaps together apart away forward forwards backward backwards upwards downwards upward downward outdoors "
    "indoors sideways overhead nearby ahead aside now then soon today tonight yesterday well somewhere everywhere "
    "anywhere mid-air upside downhill uphill upstairs downstairs barely instead alone later once twice else yet maybe "
    "close-by in-line aloft afar abroad"
)
ADJECTIVES = words(
    "big small large little tall short long old young new good bad high low wide narrow thick thin fat huge tiny "
    "giant great round square flat deep shallow heavy light dark bright pale warm hot cold cool wet dry clean dirty "
    "dusty muddy sunny cloudy rainy snowy icy sandy rocky grassy hilly leafy bushy fluffy furry hairy shiny curly "
    "wavy fuzzy empty full open closed close ready busy happy sad angry funny silly pretty cute nice fancy plain "
    "simple clear elderly adult male female asian african american european indian chinese japanese mexican german "
    "french british blonde blond brunette bald bearded barefoot shirtless naked nude pregnant fresh raw ripe rare "
    "rotten sweet sour spicy tasty delicious soft hard rough smooth sharp steep slick loose tight wooden golden "
    "woolen wild tame calm quiet loud fast quick slow early late modern ancient vintage antique public private urban "
    "rural main other same different similar whole entire single double upper lower inner outer front back left right "
    "top bottom middle next last first second third fourth final own opposite various certain free real fake fine odd "
    "strange weird unusual beautiful gorgeous lovely ugly strong weak rich poor sick healthy tired bored hungry safe "
    "dangerous alone awake asleep alive dead able rusty messy tidy neat fit slim chubby skinny smart grey-haired "
    "brand mixed unmade homemade handmade plaid floral colorful colourful multicolored multi-colored neon solid "
    "transparent translucent opaque patriotic professional vertical horizontal diagonal electric electronic metallic "
    "rustic scenic domestic athletic artistic commercial industrial residential tropical decorative oriental oval "
    "medical musical natural central coastal human massive attractive traditional festive casual formal nearby "
    "overcast"
)
ADJECTIVES_AS_NOUNS = words(
    "top bottom front back orange gold silver square cold adult male female blonde blond antique double light flat "
    "cream human american brunette oval round child general third fourth final young elderly electric middle right "
    "left"
)
"""Nouns where none follows: `a striped top`."""
COLOURS = words(
    "red orange yellow green blue purple pink brown black white gray grey tan beige maroon turquoise teal gold silver "
    "navy violet cyan magenta crimson khaki cream ivory lavender burgundy"
)
MATERIALS = words(
    "brick stone metal glass plastic wood leather steel concrete paper cotton denim marble tile iron wicker"
)
"""Nouns that are coordinated before a noun like adjectives: `a brick and stone building`."""
ADJECTIVE_ENDINGS = ("ful", "ous", "less", "able", "ible", "ish")
NOUNS_LIKE_ADJECTIVES = words(
    "table vegetable fish dish vegetables handful mouthful spoonful radish stable cable sable"
)
"""They end as adjectives do."""
NOUNS_LIKE_ADVERBS = words(
    "family butterfly dragonfly fly belly jelly bully lily assembly italy july ally rally trolley doily anomaly"
)
ADJECTIVES_LIKE_ADVERBS = words("friendly lovely elderly curly hilly ugly silly early holy lonely lively wooly woolly")

NOUNS_IN_ING = words(
    "building ceiling railing clothing wedding painting drawing evening morning string ring king wing thing spring "
    "swing sling crossing awning siding icing frosting stuffing topping dressing opening clearing landing flooring "
    "lighting bedding seating plumbing scaffolding lettering writing carving marking ping pong bling sibling duckling "
    "gosling earring stocking pudding dumpling offspring sterling viking covering outing gathering meeting being "
    "wiring padding paneling fencing housing pricing beijing"
)
ADJECTIVES_IN_ING = words(
    "smiling laughing flowering flying sleeping crying matching breaking floating burning missing rolling running "
    "grazing interesting amazing exciting glowing blooming falling growing oncoming approaching moving crashing "
    "passing hanging sitting standing surrounding remaining charming loving boiling working barking following setting "
    "rising"
)
"""They may open a phrase: `smiling women`, `near flowering trees`."""
COMPOUNDS_IN_ING: dict[str, frozenset[str]] = {
    "dining": words("room table area hall chair set"),
    "living": words("room area space"),
    "parking": words("lot meter garage space area spot sign structure deck"),
    "swimming": words("pool trunk suit cap goggle area"),
    "bathing": words("suit cap area"),
    "cutting": words("board mat"),
    "frying": words("pan"),
    "baking": words("sheet pan dish tray"),
    "cooking": words("pot pan utensil oil"),
    "mixing": words("bowl"),
    "shopping": words("cart bag center centre mall basket"),
    "climbing": words("wall gear rope equipment harness"),
    "washing": words("machine"),
    "fishing": words("pole rod boat net line gear pier hat"),
    "running": words("shoe track water short"),
    "racing": words("car bike suit horse motorcycle track boat"),
    "rocking": words("chair horse"),
    "sleeping": words("bag"),
    "playing": words("field card area"),
    "walking": words("stick path trail cane"),
    "hiking": words("trail boot gear stick backpack"),
    "boxing": words("ring glove match"),
    "skating": words("rink ramp park"),
    "skiing": words("gear pole equipment"),
    "bowling": words("alley ball lane pin shoe"),
    "sewing": words("machine"),
    "vending": words("machine stand cart"),
    "training": words("wheel field room"),
    "welding": words("mask helmet equipment"),
    "hunting": words("dog rifle gear"),
    "riding": words("boot helmet lawnmower mower"),
    "serving": words("tray dish bowl plate spoon"),
    "waiting": words("room area"),
    "sitting": words("room area"),
    "landing": words("strip gear"),
    "reading": words("glass glasses"),
    "recording": words("studio equipment"),
    "drinking": words("fountain glass water"),
    "measuring": words("cup tape"),
    "steering": words("wheel"),
    "surfing": words("board competition"),
    "diving": words("board"),
    "watering": words("hole can"),
    "lounging": words("chair"),
    "wading": words("pool"),
}
"""Modifier and what it stands before, in the singular."""

WORDS_LIKE_PAST = words(
    "red bed sled shed seed weed feed speed breed hundred reed deed creed steed need bleed proceed thread embed ted "
    "fred bunkbed flatbed"
)
"""They end in -ed and are neither past nor participle."""
COMPOUNDS_IN_ED = words(
    "covered lined filled colored coloured shaped sized striped haired topped flavored themed patterned walled paved "
    "roofed decorated infested powered clad skinned operated inspired loaded"
)
"""They stand between two nouns: `a snow covered mountain`."""
IRREGULAR_PAST = words(
    "sat stood held rode ran threw took made worn wore seen saw shown taken caught drawn drew built cut hung left lit "
    "laid lay ate eaten drank drove driven flew flown thrown grown grew given gave gone went come came done swam sang "
    "sung spoke broken frozen torn bent kept put set met hit shot slept fell fallen led fed read written wrote hidden "
    "hid bitten found felt lost spread shut surrounded sold told thought brought bought split beaten knelt sewn"
)
PARTICIPLES_ONLY = words(
    "worn seen shown taken drawn eaten driven flown thrown grown given gone done sung broken frozen torn fallen "
    "written hidden bitten beaten sewn made built surrounded hung lit found left set cut split shut spread"
)
"""Of irregular verbs: behind their noun they are no past that stands alone."""
VERBS = words(
    "sit stand walk run ride hold wear play look watch jump eat drink talk smile wait lie lay sleep rest fly surf ski "
    "skate skateboard snowboard swim climb throw catch hit kick swing pull push carry read write cook cut prepare "
    "make take use try go come give work perform dance sing pose laugh drive cross chase follow lead lean hang reach "
    "feed graze gather enjoy show display contain cover fill face point stare gaze sell buy clean wash brush build "
    "dig paint draw race compete tackle block slide grind balance fall crouch kneel bend squat stretch practice "
    "practise attempt begin start help teach listen speak sniff lick bite chew bark shake splash float sail row "
    "paddle travel roll blow wave cheer embrace hug kiss serve pour place put move turn stop leave enter exit "
    "approach pass peer appear seem say consist feature belay hide touch open examine inspect observe interact "
    "converse discuss participate relax wrestle fight march stroll wander trot gallop leap dive toss bounce dribble "
    "shoot pitch need want keep tie lift raise drag ascend descend overlook surround separate perch share explore "
    "celebrate demonstrate operate repair fix seat accompany greet admire protest visit shop ponder bathe sweep mow "
    "skip hop crawl hurdle tumble land have reveal learn grab hunt fish tend stick extend include resemble grow live "
    "bring see find know depict peck spray chat rise think remain"
)
"""Base forms."""
PLURALS = words(
    "people men women children sheep cattle geese mice feet teeth police firemen policemen fishermen businessmen "
    "gentlemen workmen salesmen snowmen family couple group crowd team herd flock pair giraffe zebra fish elephant "
    "deer staff band crew"
)
"""Plural, or taken as one, without -s: what follows may be a verb's base form."""
SMALL_NUMBERS = words("two three four five six seven eight nine ten")
"""They may stand for what they count: `two` are grazing."""

CAN_KINDS = words("trash garbage soda beer tin spray paint watering coke")
"""Behind these `can` is a thing."""
PARTITIVES = words(
    "group crowd couple pair bunch herd flock lot number variety row line pile stack set team series piece slice cup "
    "glass bottle bowl plate can box basket bag bucket jar pot pan tray bouquet body mass pack gang band collection "
    "assortment array handful dozen hundred thousand kind type sort majority rest half plenty loaf field patch bed "
    "pitcher mug vase tank bundle cluster batch bit chunk strip sheet stick roll load string trio duo gathering "
    "flight platter dish serving selection range mixture plethora ton spoonful host school swarm litter crate carton "
    "case heap mound stream puddle pool cloud drop blanket layer army party class audience family quartet bale block "
    "cone shelf bushel rack display shot pint spread tug"
)
"""Nouns that are one phrase with what follows `of`: `a group of people`."""

PHRASES_OF_PLACE = phrases(
    "in front of, in the front of, in back of, in the back of, on the back of, on top of, on the top of, at the top "
    "of, at the bottom of, in the middle of, in the center of, in the centre of, on the side of, at the side of, by "
    "the side of, along the side of, on the edge of, at the edge of, at the end of, on the end of, to the left of, to "
    "the right of, on the left of, on the right of, on the left side of, on the right side of, on either side of, on "
    "each side of, on both sides of, on the other side of, to the side of, next to, close to, due to, because of, "
    "instead of, out of, ahead of, left of, right of, in between, as well as, such as, along with, up to, inside of, "
    "outside of, in order to, in the background, in the foreground, in the distance, in the middle, on the left, on "
    "the right, to the left, to the right, on the left side, on the right side, on the side, to the side, in front, "
    "in back, on top, at the top, at the bottom, in the back, in the front, in the center, in the centre, side by "
    "side, back to back, face to face, at night, full of, in the process of, at least, at most, upside down, right "
    "side up, hand in hand, at work, at rest, in the left, in the right, from the left, from the right, from left, "
    "from right, on left, on right, at left, at right, at the left, at the right, on the far left, on the far right, "
    "to the far left, to the far right, from the left side, from the right side"
)
"""They say where something is or how, and are no phrase of their own. Those that end in neither `of` nor `to` hold only
where no noun follows."""
RECIPROCALS = (("each", "other"), ("one", "another"))
