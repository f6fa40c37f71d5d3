"""Instructions made of templates: the head learns from them, and so do networks that are told sentences.

Each clause has a manner, "repair", "spare" or "bare" (no verb: it goes with the clause before it), and kinds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

EVERYTHING = "everything"
REPAIR, SPARE, BARE = "repair", "spare", "bare"
MANNERS = (REPAIR, SPARE, BARE)

# What people call each kind, parted by "; "; some words mean two kinds.
NOUNS: dict[tuple[str, ...], str] = {
    ("noise",): (
        "noise; grain; film grain; graininess; speckles; sensor noise; colour noise; ISO noise; noisy texture; sandy "
        "texture"
    ),
    ("jpeg",): (
        "JPEG artefacts; compression artifacts; compression; blocks; blockiness; 8x8 blocks; ringing from "
        "compression; JPEG blocking; low JPEG quality; mosquito noise"
    ),
    ("motion_blur",): (
        "motion blur; camera shake; shaky blur; smeared motion; movement blur; streaky blur; hand shake; moving blur"
    ),
    ("defocus_blur",): (
        "defocus; defocus blur; out of focus blur; missed focus; lens blur; soft focus; wrong focus; out-of-focus look"
    ),
    (
        "motion_blur",
        "defocus_blur",
    ): "blur; blurriness; softness; unsharpness; fuzziness; lack of sharpness; blurry look",
    ("haze",): "haze; fog; mist; smog; smoke; hazy veil; foggy air; murk; milky haze",
    ("rain",): "rain; rain streaks; raindrops falling; rainfall; drizzle; downpour; streaks of rain; rainy streaks",
    ("snow",): "snow; snowflakes; falling snow; flakes; snowfall; blizzard; white flakes",
    ("low_light",): (
        "darkness; low light; underexposure; dim light; dark exposure; lack of light; night-time darkness; gloom; "
        "dark shadows everywhere"
    ),
    ("mosaic",): (
        "mosaic; Bayer mosaic; colour filter pattern; raw mosaic; sensor pattern; CFA pattern; undemosaiced pattern; "
        "checkerboard of colours"
    ),
    ("inpainting",): (
        "scratches; scratch; lines across the picture; holes; missing parts; damage; cracks; torn lines; scribbles"
    ),
    (EVERYTHING,): (
        "everything; all defects; the whole picture; this photo; all problems; it; the image; "
        "whatever is wrong; them; this; that; whatever is broken; every fault; this old picture; "
        "my family photo; all "
        "degradations; any flaws"
    ),
}
VERBS = {
    REPAIR: (
        "remove {}; mend {}; take care of {}; deal with {}; handle {}; cut through {}; strip out {}; "
        "get {} off; I would like {} removed; could you sort out {}; only {}; just {}; take {} away; "
        "take out {}; wipe {} away; get rid of {}; take away {}; "
        "clean up {}; fix {}; repair {}; reduce {}; please eliminate {}; I "
        "want {} gone; can you remove {}?; there is too much {}; restore {}; correct {}; erase {}; no more {}; the "
        "photo suffers from {}, fix that; undo {}; {} must go; suppress {}; clear {}"
    ),
    SPARE: (
        "keep {}; let {} be; {} belongs there; {} stays; under no circumstances change {}; hands off {}; "
        "leave {}; leave {} untouched; please do not smooth {} away; don't touch {}; do not remove {}; "
        "leave {} alone; preserve {}; leave {} as it is; {} should stay; "
        "ignore {}; not {}; please retain {}; don't fix {}; never remove {}; I like {}; without touching {}; {} is "
        "fine; do not change {}; maintain {}; spare {}; no need to fix {}"
    ),
    BARE: "{}; the {}; also {}; {} too; some {}; all of the {}",
}
# Of some kinds people say what the picture lacks.
PHRASES: dict[tuple[str, tuple[str, ...]], str] = {
    (
        REPAIR,
        ("noise",),
    ): (
        "denoise; it is noisy; it looks grainy; high ISO; denoise the photo; make it less grainy; smooth out the grain"
    ),
    (REPAIR, ("jpeg",)): "deblock it; it was saved with too low quality; make the compression invisible",
    (
        REPAIR,
        ("motion_blur",),
    ): (
        "the camera moved; I moved the camera; the camera was not steady; my hand was unsteady; stop the motion; "
        "the subject is smeared; the subject moved; I shook the camera; it is shaky; stabilise the smeared "
        "subject"
    ),
    (
        REPAIR,
        ("defocus_blur",),
    ): (
        "bring it into focus; the autofocus missed; the focus sits on the background; the lens was not focused; "
        "refocus the picture; it is out of focus"
    ),
    (
        REPAIR,
        ("motion_blur", "defocus_blur"),
    ): (
        "sharpen; make it sharper; deblur the photo; increase sharpness; make it crisp; crisp edges; crisper; "
        "make it less soft; bring out sharp detail; it is blurry; the photo is blurry"
    ),
    (
        REPAIR,
        ("haze",),
    ): (
        "dehaze; make the air clear; see through the mist; show what is behind the fog; it is foggy; clear up the "
        "view; defog the picture"
    ),
    (
        REPAIR,
        ("rain",),
    ): ("derain the photo; make it look like a dry day; stop the rain; it rained; dry the picture; it is rainy"),
    (REPAIR, ("snow",)): "desnow it; make it stop snowing; it snowed; it is snowing in the photo",
    (REPAIR, ("low_light",)): (
        "brighten it; shot at night; no flash; it is dark; lift the shadows; make the dark parts visible; "
        "make it brighter; lighten the picture; it is too dark; raise the exposure; light it up; "
        "increase the brightness"
    ),
    (SPARE, ("low_light",)): "keep it dark; don't brighten it; leave the night mood; do not make it brighter",
    (SPARE, ("motion_blur", "defocus_blur")): "keep it soft; don't sharpen; do not sharpen it; leave it blurry",
    (SPARE, ("noise",)): "don't denoise; do not denoise it; leave it grainy",
    (SPARE, ("haze",)): "don't dehaze; keep the misty mood",
    (REPAIR, ("mosaic",)): "demosaic it; interpolate the raw colours",
    (
        REPAIR,
        ("inpainting",),
    ): (
        "inpaint the missing pixels; fill in the holes; somebody scribbled on it; the print is torn; it is "
        "scratched; fill the gaps"
    ),
    (REPAIR, (EVERYTHING,)): (
        "restore; improve; improve this picture; make it nicer; enhance this; polish it; "
        "make the photo look better; make it look good; improve the quality; restore the photo; make it better; "
        "do your best; improve it; make it beautiful; sort it out; make it pretty; clean it; tidy it up"
    ),
    (
        SPARE,
        (EVERYTHING,),
    ): (
        "do nothing; no changes; change nothing; no changes needed; it is fine as it is; it is perfect; all is "
        "fine; nothing to do; leave it as it is; nothing is wrong with it; this photo is fine"
    ),
}
# Of other languages the encoder knows little; these words are learned as such.
WORDS: dict[str, tuple[dict[tuple[str, ...], str], dict[str, str]]] = {
    "German": (
        {
            ("noise",): "das Rauschen; das Korn; Bildrauschen; die Körnung",
            ("jpeg",): "die Kompressionsartefakte; JPEG-Artefakte; die Blöcke; die Kompression",
            ("motion_blur",): "die Bewegungsunschärfe; das Verwackeln; Verwacklung",
            ("defocus_blur",): "der falsche Fokus; die Fokusunschärfe; Defokus",
            ("motion_blur", "defocus_blur"): "die Unschärfe; das Unscharfe",
            ("haze",): "den Nebel; den Dunst; Nebel; den Smog",
            ("rain",): "den Regen; die Regentropfen; Regen; Regenstreifen",
            ("snow",): "den Schnee; die Schneeflocken; Schnee",
            ("low_light",): "die Dunkelheit; die Unterbelichtung; das schwache Licht",
            ("mosaic",): "das Mosaik; das Bayer-Muster",
            ("inpainting",): "die Kratzer; Kratzer; die Löcher; die Risse; die Schäden",
            (EVERYTHING,): "alles; das Bild; das Foto; alle Fehler; es",
        },
        {
            REPAIR: "entferne {}; {} entfernen; bitte {} entfernen; {} reparieren; repariere {}; {} weg; "
            "{} beseitigen; "
            "reduziere {}; nur {}; mach {} weg; {} korrigieren",
            SPARE: "behalte {}; aber behalte {}; {} behalten; {} nicht anfassen; {} nicht entfernen; "
            "lass {}; {} so lassen; "
            "nicht {}; {} soll bleiben; entferne {} nicht",
            BARE: "{}; auch {}",
        },
    ),
    "French": (
        {
            ("noise",): "le bruit; le grain; du bruit",
            ("jpeg",): "la compression; les artefacts JPEG; les blocs de compression",
            ("motion_blur",): "le flou de bougé; le bougé; le flou de mouvement",
            ("defocus_blur",): "la mise au point ratée; le flou de mise au point",
            ("motion_blur", "defocus_blur"): "le flou; ce flou",
            ("haze",): "le brouillard; la brume; du brouillard",
            ("rain",): "la pluie; les gouttes de pluie; de la pluie",
            ("snow",): "la neige; les flocons; de la neige",
            ("low_light",): "l'obscurité; la sous-exposition; le manque de lumière",
            ("mosaic",): "la mosaïque; la matrice de Bayer",
            ("inpainting",): "les rayures; les trous; les déchirures; les dommages",
            (EVERYTHING,): "tout; l'image; la photo; tous les défauts",
        },
        {
            REPAIR: "enlève {}; supprime {}; retire {}; élimine {}; répare {}; corrige {}; réduis {}; seulement {}; "
            "enlever {}; s'il te plaît enlève {}",
            SPARE: "garde {}; mais garde {}; ne touche pas à {}; ne retire pas {}; laisse {}; conserve {}; pas {}; "
            "n'enlève pas {}; ne touche pas au {}",
            BARE: "{}; aussi {}",
        },
    ),
    "Spanish": (
        {
            ("noise",): "el ruido; el grano; ruido",
            ("jpeg",): "la compresión; los artefactos JPEG; los bloques de compresión",
            ("motion_blur",): "la trepidación; el movimiento; el desenfoque de movimiento",
            ("defocus_blur",): "el desenfoque; el mal enfoque",
            ("motion_blur", "defocus_blur"): "la borrosidad; lo borroso",
            ("haze",): "la niebla; la bruma; la neblina",
            ("rain",): "la lluvia; las gotas de lluvia; lluvia",
            ("snow",): "la nieve; los copos; nieve",
            ("low_light",): "la oscuridad; la subexposición; la falta de luz",
            ("mosaic",): "el mosaico; el patrón de Bayer",
            ("inpainting",): "los arañazos; los rasguños; los agujeros; los daños",
            (EVERYTHING,): "todo; la imagen; la foto; todos los defectos",
        },
        {
            REPAIR: "quita {}; elimina {}; borra {}; repara {}; corrige {}; reduce {}; solo {}; quitar {}; "
            "por favor quita {}",
            SPARE: "deja {}; pero deja {}; no toques {}; no quites {}; conserva {}; mantén {}; guarda {}; "
            "no elimines {}",
            BARE: "{}; también {}",
        },
    ),
}
WORDS_FOR_LIGHT = (
    "heller machen; mach das Foto heller; es ist dunkel; éclaircir; éclaircir la photo; plus lumineux; más claro; "
    "zu dunkel; aufhellen; bitte aufhellen; mach es heller; das Foto ist zu dunkel; trop sombre; éclaircis la photo; "
    "la photo est trop sombre; rends-la plus claire; demasiado oscuro; muy oscura; aclara la foto; es muy oscura"
)
WORDS_FOR_BLUR = (
    "schärfen; schärfer; das Foto ist unscharf; es ist unscharf; floue; l'image est floue; rends-la nette; "
    "borrosa; la imagen está borrosa; enfoca la foto"
)
FRAMES = "{}; {}; please {}; {} please; can you {}; just {}; {} now; so {}; I think {}; you should {}"  # around PHRASES
# Without an instruction.
SUBJECTS = (
    "a cat; two dogs; seven bottles; three apples; the universe; the railway station; my phone; a book; "
    "my grandmother; the beach; a red car; mountains; a wedding; a portrait; the street; a house; "
    "an old man; flowers; the sea; a bridge; Paris; Monday; the meeting; milk; music; the market"
)
ASIDES = (
    "{}; {} on a sofa; a photo of {}; what is {}?; where is {}; I like {}; this is {} in 1950; "
    "who painted {}?; {} and a lake; "
    "hello {}; thank you for {}; how do I get to {}"
)
CHATTER = (
    "hello; thank you; good evening; hola; guten Morgen; salut; merci; buongiorno; abc; wxyz; hjkl; tyui; "
    "qwert; 123 456; blah blah; how are you; who are you; what is the time?; the weather forecast; "
    "lorem ipsum; 42; "
    "invoice number 12; xyz; qqq zzz; the quick brown fox; to be or not to be; what a lovely day; tell me a joke"
)


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One example for the head.

    Args:
        text: a clause.
        manner: one of MANNERS; None where nothing is asked for.
        kinds: that it is about; (EVERYTHING,) for no kind in particular, none where nothing is asked for.
    """

    text: str
    manner: str | None
    kinds: tuple[str, ...]


def clauses() -> Iterator[Clause]:
    """Every clause of the templates."""
    for kinds, nouns in NOUNS.items():
        for manner, verbs in VERBS.items():
            for noun in nouns.split("; "):
                article = "" if kinds == (EVERYTHING,) or noun.startswith("the ") else "the "
                for verb in verbs.split("; "):
                    named = noun if manner == BARE or verb.startswith("there is too much") else article + noun
                    yield Clause(text=verb.format(named), manner=manner, kinds=kinds)
    for (manner, kinds), phrases in PHRASES.items():
        for phrase, frame in product(phrases.split("; "), FRAMES.split("; ")):
            yield Clause(text=frame.format(phrase), manner=manner, kinds=kinds)
    for nouns_of, verbs_of in WORDS.values():
        for kinds, nouns in nouns_of.items():
            for manner, verbs in verbs_of.items():
                for noun, verb in product(nouns.split("; "), verbs.split("; ")):
                    yield Clause(text=verb.format(noun), manner=manner, kinds=kinds)
    for kinds, texts in ((("low_light",), WORDS_FOR_LIGHT), (("motion_blur", "defocus_blur"), WORDS_FOR_BLUR)):
        for text in texts.split("; "):
            yield Clause(text=text, manner=REPAIR, kinds=kinds)
    idle = [aside.format(subject) for aside, subject in product(ASIDES.split("; "), SUBJECTS.split("; "))]
    rng = random.Random(0)
    keys = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=rng.randint(3, 12))).strip() for _ in range(150)]
    for text in (*idle, *CHATTER.split("; "), *keys):
        yield Clause(text=text, manner=None, kinds=())


def instructions(label: str, number: int) -> tuple[str, ...]:
    """Sentences that ask to repair a label's kind alone; for `clean`, to leave all as it is.

    Args:
        label: a kind of the catalogue, or "clean".
        number: of sentences; they come again where there are fewer.

    Raises:
        ValueError: there are no words for that label.

    >>> instructions("rain", 2)
    ('remove the rain', 'take the streaks of rain away')
    """
    wanted = (SPARE, (EVERYTHING,)) if label == "clean" else (REPAIR, (label,))
    found = [c.text for c in clauses() if (c.manner, c.kinds) == wanted]
    if not found:
        known = ", ".join(kinds[0] for kinds in NOUNS if len(kinds) == 1 and kinds != (EVERYTHING,))
        raise ValueError(f"there are no sentences for {label}; there are for clean, {known}")
    return tuple(found[place * len(found) // number] for place in range(number))
