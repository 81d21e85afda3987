#!/usr/bin/env python3
"""Writes the cards of Brain-Score's benchmarks, and the manifests of their data, from one table.

    python3 scripts/brainscore_cards.py        # from the root of the repository

The table holds what Brain-Score's repositories state: identifiers, regions, metrics, stratification, degrees, trials, versions, rules of
ceilings and the numbers of its tests. Locations and digests of files are not among it, so manifests say how to supply the files; whoever
knows them adds `url` and `sha1` in place of `supply`.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MAJAJ = "Majaj, Hong, Solomon, DiCarlo (2015), Simple learned weighted sums of inferior temporal neuronal firing rates accurately predict human core object recognition performance, J. Neurosci. 35(39), 13402-13418"
FREEMAN = "Freeman, Ziemba, Heeger, Simoncelli, Movshon (2013), A functional and perceptual signature of the second visual area in primates, Nature Neuroscience 16, 974-981"
CADENA = "Cadena, Denfield, Walker, Gatys, Tolias, Bethge, Ecker (2019), Deep convolutional models improve predictions of macaque V1 responses to natural images, PLoS Comput. Biol. 15(4), e1006897"
RAJALINGHAM18 = "Rajalingham, Issa, Bashivan, Kar, Schmidt, DiCarlo (2018), Large-scale, high-resolution comparison of the core visual object recognition behavior of humans, monkeys, and state-of-the-art deep artificial neural networks, J. Neurosci. 38(33), 7255-7269"
RAJALINGHAM20 = "Rajalingham, Kar, Sanghavi, Dehaene, DiCarlo (2020), The inferior temporal cortex is a potential cortical precursor of orthographic processing in untrained monkeys, Nature Communications 11, 3886"
ISLAM = "Islam, Kowal, Esser, Jia, Ommer, Derpanis, Bruce (2021), Shape or Texture: Understanding Discriminative Features in CNNs, ICLR"
BRAINSCORE = "Schrimpf et al. (2018), Brain-Score: Which artificial neural network for object recognition is most brain-like?, bioRxiv 407007"

UNVERSIONED = "Brain-Score's version of this benchmark is not recorded here."


def neural(identifier, data, region, version, degrees, stratify, visibility="public", metric="pls", time="", ceiling=None, title="", facts=""):
    return dict(identifier=identifier, data=data, region=region, version=version, degrees=degrees, stratify=stratify, visibility=visibility,
                metric=metric, time=time, ceiling=ceiling or "internal_consistency", title=title, facts=facts)


HVM = "object_name"
SPAN = '\n[time]\nmode = "span"\n'
FREEMAN_BINS = '\n[time]\nmode = "mean"\nfrom = 50.0\nto = 200.0\n'

CARDS = [
    neural("MajajHong2015.V4-pls", "MajajHong2015.private", "V4", "4", 8, HVM, "private", title="V4, 88 neuroids, 2,560 images",
           facts="50 trials, 70 to 170 ms. Brain-Score's tests: ceiling .895030 (error .000618), the recording itself .923713, AlexNet's features .490236 (raw)."),
    neural("MajajHong2015.IT-pls", "MajajHong2015.private", "IT", "4", 8, HVM, "private", title="IT, 168 neuroids, 2,560 images",
           facts="50 trials, 70 to 170 ms. Brain-Score's tests: ceiling .821841 (error .000587), the recording itself .823433, AlexNet's features .584053 (raw)."),
    neural("MajajHong2015public.V4-pls", "MajajHong2015.public", "V4", "4", 8, HVM, title="V4, 88 neuroids, 3,200 images",
           facts="50 trials, 70 to 170 ms; Brain-Score chooses layers on it. Its tests: the recording itself .897956 (raw)."),
    neural("MajajHong2015public.IT-pls", "MajajHong2015.public", "IT", "4", 8, HVM, title="IT, 168 neuroids, 3,200 images",
           facts="50 trials, 70 to 170 ms; Brain-Score chooses layers on it. Its tests: the recording itself .816251 (raw)."),
    neural("MajajHong2015public.V4-reverse_pls", "MajajHong2015.public", "V4", "4", 8, HVM, metric="reverse_pls", ceiling="predictor_consistency",
           title="V4 predicts the model, 88 neuroids, 3,200 images", facts="70 to 170 ms."),
    neural("MajajHong2015public.IT-reverse_pls", "MajajHong2015.public", "IT", "4", 8, HVM, metric="reverse_pls", ceiling="predictor_consistency",
           title="IT predicts the model, 168 neuroids, 3,200 images", facts="70 to 170 ms."),
    neural("MajajHong2015public.V4-temporal-pls", "MajajHong2015.public-temporal", "V4", None, 8, HVM, time=SPAN, title="V4 over time, one mapping for all bins"),
    neural("MajajHong2015public.IT-temporal-pls", "MajajHong2015.public-temporal", "IT", None, 8, HVM, time=SPAN, title="IT over time, one mapping for all bins"),
    neural("FreemanZiemba2013.V1-pls", "FreemanZiemba2013.private", "V1", "3", 4, "texture_type", "private", time=FREEMAN_BINS, title="V1, 102 neuroids, 315 images",
           facts="20 trials, mean of the 1-ms bins of 50 to 200 ms. Brain-Score's tests: ceiling .873345, the recording itself .668491, AlexNet's features .466222 (raw)."),
    neural("FreemanZiemba2013.V2-pls", "FreemanZiemba2013.private", "V2", "3", 4, "texture_type", "private", time=FREEMAN_BINS, title="V2, 103 neuroids, 315 images",
           facts="20 trials, mean of the 1-ms bins of 50 to 200 ms. Brain-Score's tests: ceiling .824836, the recording itself .553155, AlexNet's features .459283 (raw)."),
    neural("FreemanZiemba2013public.V1-pls", "FreemanZiemba2013.public", "V1", None, 4, "texture_type", time=FREEMAN_BINS, title="V1, 102 neuroids, 135 images",
           facts="20 trials, mean of the 1-ms bins of 50 to 200 ms; Brain-Score chooses layers on it. Its tests: the recording itself .679954 (raw)."),
    neural("FreemanZiemba2013public.V2-pls", "FreemanZiemba2013.public", "V2", None, 4, "texture_type", time=FREEMAN_BINS, title="V2, 103 neuroids, 135 images",
           facts="20 trials, mean of the 1-ms bins of 50 to 200 ms; Brain-Score chooses layers on it. Its tests: the recording itself .577498 (raw)."),
    neural("Cadena2017-pls", "Cadena2017", "V1", None, 2, None, title="V1, 166 neuroids, 6,249 of 7,249 images",
           facts="2 trials, 29,000 presentations. Brain-Score's tests: the recording itself .577474 (raw)."),
    neural("Rajalingham2020.IT-pls", "Rajalingham2020", "IT", "2", 8, None, title="IT, 616 images",
           facts="33 trials. Brain-Score's tests: ceiling .561013, the recording itself .693463, AlexNet's features .147549 (raw)."),
    neural("Sanghavi2020.V4-pls", "Sanghavi2020", "V4", None, 8, HVM, title="V4, 47 neuroids, 5,760 images",
           facts="28 trials. Brain-Score's tests: ceiling .8892049, the recording itself .9727137, AlexNet's features .551135 (raw)."),
    neural("Sanghavi2020.IT-pls", "Sanghavi2020", "IT", None, 8, HVM, title="IT, 5,760 images",
           facts="28 trials. Brain-Score's tests: ceiling .868293, the recording itself .890062, AlexNet's features .611347 (raw)."),
    neural("SanghaviJozwik2020.V4-pls", "SanghaviJozwik2020", "V4", None, 8, None, title="V4, 50 neuroids, 4,916 images",
           facts="37 trials. Brain-Score's tests: ceiling .9630336, the recording itself .9739177, AlexNet's features .49235 (raw)."),
    neural("SanghaviJozwik2020.IT-pls", "SanghaviJozwik2020", "IT", None, 8, None, title="IT, 4,916 images",
           facts="37 trials. Brain-Score's tests: ceiling .860352, the recording itself .9999779, AlexNet's features .590543 (raw)."),
    neural("SanghaviMurty2020.V4-pls", "SanghaviMurty2020", "V4", None, 5, None, title="V4, 46 neuroids, 300 images",
           facts="50 trials. Brain-Score's tests: ceiling .9666086, the recording itself .978581, AlexNet's features .357461 (raw)."),
    neural("SanghaviMurty2020.IT-pls", "SanghaviMurty2020", "IT", None, 5, None, title="IT, 300 images",
           facts="50 trials. Brain-Score's tests: ceiling .875714, the recording itself .9997532, AlexNet's features .53006 (raw)."),
]

# Data set: title, whether it is public, citation.
DATA = {
    "Islam2021": ("21,845 images of 20 shapes in 5 textures", True, ISLAM),
    "MajajHong2015.private": ("V4 and IT: 2,560 images (private part)", False, MAJAJ),
    "MajajHong2015.public": ("V4 and IT: 3,200 images", True, MAJAJ),
    "MajajHong2015.public-temporal": ("V4 and IT in time bins: 3,200 images", True, MAJAJ),
    "FreemanZiemba2013.private": ("V1 and V2: 315 images (private part)", False, FREEMAN),
    "FreemanZiemba2013.public": ("V1 and V2: 135 images", True, FREEMAN),
    "Cadena2017": ("V1: 7,249 images", None, CADENA),
    "Rajalingham2020": ("IT: 616 images", None, RAJALINGHAM20),
    "Sanghavi2020": ("V4 and IT: 5,760 images", None, BRAINSCORE),
    "SanghaviJozwik2020": ("V4 and IT: 4,916 images", None, BRAINSCORE),
    "SanghaviMurty2020": ("V4 and IT: 300 images", None, BRAINSCORE),
    "Rajalingham2018.private": ("Human choices between 24 objects: 240 images, and 2,160 to learn from", False, RAJALINGHAM18),
}

SUPPLY = ("{what} of {name}: brain-score/vision registers its bucket, version and SHA-1 in the plugin of that name below "
          "brainscore_vision/data, and its loader leaves the file in ~/.brainio/<sha1>/; copy it to this path{private}")


def text(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def data_id(name):
    return "brainscore-" + name.lower().replace(".", "-")


def folder(card):
    return "brainscore-" + card["identifier"].lower().replace(".", "-").replace("_", "-")


def head(card, kind=""):
    note = " ".join(part for part in [card["facts"], "" if card["version"] else UNVERSIONED] if part)
    lines = [f'identifier = {text(card["identifier"])}', f'version = {text(card["version"] or "1")}', f'region = {text(card["region"])}']
    lines += [kind] if kind else []
    lines += [f'visibility = "{card["visibility"]}"', f'title = {text(card["title"])}', f'citation = {text(DATA[card["data"]][2])}',
              'licence = "not recorded here; ask Brain-Score"', f'dataset = "{data_id(card["data"])}"']
    lines += [f"note = {text(note)}"] if note else []
    return "\n".join(lines)


def stimuli(card):
    place = f'brainscore/{card["data"]}'
    unused = "allow_unused = true\n" if card["data"] == "Cadena2017" else ""
    return (f'[stimuli]\nidentifier = {text(card["data"])}\nformat = "table"\ndata = "{place}/stimuli.zip"\ntable = "stimuli.csv"\n'
            f'degrees = {float(card["degrees"])}\n{unused}')


def neural_card(card):
    place = f'brainscore/{card["data"]}'
    splits = f'scheme = "stratified"\nstratify = "{card["stratify"]}"' if card["stratify"] else 'scheme = "shuffle"'
    components = "components = 25\n"
    return f"""{head(card)}

{stimuli(card)}
[assembly]
format = "nc"
data = "{place}/assembly.nc"
{card["time"]}
[neuroids]
column = "region"
select = ["{card["region"]}"]

[metric]
name = "{card["metric"]}"
{components}
[splits]
{splits}
count = 10
train_size = 0.9
seed = 1

[ceiling]
source = "{card["ceiling"]}"
rule = "r2_over_c"
"""


I2N = dict(identifier="Rajalingham2018-i2n", data="Rajalingham2018.private", region="behavior", version="2", visibility="private", degrees=8,
           title="Choices between 24 objects, 240 images", stratify=None,
           facts="Brain-Score's tests: ceiling .479; raw AlexNet .253, ResNet-18 .3638, ResNet-34 .37787. The table of stimuli joins objectome.public (2,160 images) and "
                 "objectome.private (240), with a column `use` that is `fit` for the former and `test` for the latter.")


def i2n_card():
    place = f'brainscore/{I2N["data"]}'
    kind = 'kind = "behavior"'
    return f"""{head(I2N, kind)}

{stimuli(I2N)}
[behavior]
truth = "image_label"

[decoder]
column = "use"
fit = "fit"
c = 0.001

[trials]
data = "{place}/trials.nc"

[metric]
name = "i2n"

[ceiling]
source = "people"
rule = "per_split_over_sqrt_c"
"""


ISLAM2021 = [
    dict(identifier=f"Islam2021-{factor}_{region.lower()}_dimensionality", data="Islam2021", region=region, version="1", visibility="public", factor=factor,
         title=f"Share of a layer's units for {factor}, 21,845 images",
         facts=f"Brain-Score's tests: one file of AlexNet's features has {value} in every region, whose layer is all that tells the four apart. Nothing is compared with a brain, so it counts as engineering here.")
    for region in ["V1", "V2", "V4", "IT"] for factor, value in [("shape", ".18310547"), ("texture", ".30834961")]
]


def factor_card(card):
    place = f'brainscore/{card["data"]}'
    return f"""{head(card, 'kind = "engineering"')}

[stimuli]
identifier = "Islam2021"
format = "table"
data = "{place}/stimuli.zip"
table = "stimuli.csv"

[pairs]
shape = "shape"
texture = "texture"
image = "original_image_id"
factor = "{card["factor"]}"
seed = 1751

[metric]
name = "factor_dimensionality"

[ceiling]
source = "given"
value = 1.0
rule = "ratio"
"""


def manifest(name, cards):
    title, public, citation = DATA[name]
    private = {True: "", False: ". This part is private: its owners decide who may have it", None: ". Whether it is public is not recorded here"}[public]
    if name == "Islam2021":
        entries = []
    elif name.startswith("Rajalingham2018"):
        entries = [("trials.nc", "the assembly of human trials (NetCDF)")]
    else:
        entries = [("assembly.nc", "the neural assembly (NetCDF)")]
    entries += [("stimuli.csv", "the table of stimuli (CSV)"), ("stimuli.zip", "the images (ZIP)")]
    files = [f'[[files]]\npath = "brainscore/{name}/{file}"\nsupply = {text(SUPPLY.format(what=what, name=name, private=private))}\n' for file, what in entries]
    listed = "".join(f'  "{card}",\n' for card in sorted(cards))
    note = "Locations and digests of these files are not recorded here. Whoever knows them puts `url` and `sha1` in place of `supply`."
    return (f'id = "{data_id(name)}"\ntitle = {text(title)}\nlicence = "not recorded here; ask Brain-Score"\ncitation = {text(citation)}\n'
            f'note = {text(note)}\nbenchmarks = [\n{listed}]\n\n' + "\n".join(files))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    while "\n\n\n" in content:
        content = content.replace("\n\n\n", "\n\n")
    path.write_text(content)


def main():
    cards = {}
    for card in CARDS:
        write(ROOT / "benchmarks" / folder(card) / "benchmark.toml", neural_card(card))
        cards.setdefault(card["data"], []).append(folder(card))
    for card in ISLAM2021:
        write(ROOT / "benchmarks" / folder(card) / "benchmark.toml", factor_card(card))
        cards.setdefault(card["data"], []).append(folder(card))
    write(ROOT / "benchmarks" / folder(I2N) / "benchmark.toml", i2n_card())
    cards.setdefault(I2N["data"], []).append(folder(I2N))
    for name in DATA:
        write(ROOT / "datasets" / f"{data_id(name)}.toml", manifest(name, cards[name]))


if __name__ == "__main__":
    main()
