//! Settings at and beyond their bounds.

use ventral_synthesis::{
    MAX_IMAGES, MAX_PIXELS, MAX_SIDE, MAX_STEPS, MIN_IMAGES, MIN_SIDE, Objective, Parametrisation, Run,
    Settings, StopRule, Transforms, USUAL_IMAGES,
};

fn small() -> Settings {
    Settings { size: [MIN_SIDE, MIN_SIDE], ..Settings::default() }
}

fn accepts(settings: Settings) {
    settings.check().unwrap();
}

fn refuses(field: &str, settings: Settings) {
    let error = settings.check().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{field} = ")), "{error}");
    assert_eq!(Run::<f32>::new(settings).err().unwrap().to_string(), error);
}

#[test]
fn defaults_are_those_of_the_spec() {
    let defaults = Settings::default();
    accepts(defaults.clone());
    assert_eq!((defaults.images, defaults.size, defaults.stop.steps), (16, [224, 224], 2500));
    assert_eq!(defaults.parametrisation, Parametrisation::Fourier { decay: 1.0 });
    assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), defaults);
    let text = serde_json::to_string(&defaults).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), defaults);
    let pixels: Settings = serde_json::from_str(r#"{"parametrisation": {"kind": "pixels"}}"#).unwrap();
    assert_eq!(pixels.parametrisation, Parametrisation::Pixels);
    assert!(serde_json::from_str::<Settings>(r#"{"image": 3}"#).is_err());
    assert!(serde_json::from_str::<Settings>(r#"{"objective": {"beta": 3}}"#).is_err());
}

#[test]
fn numbers_of_images() {
    let images = |images, few_images| Settings { images, few_images, ..small() };
    refuses("images", images(0, true));
    refuses("images", images(2, true));
    refuses("images", images(MIN_IMAGES, false));
    refuses("images", images(USUAL_IMAGES - 1, false));
    accepts(images(USUAL_IMAGES, false));
    accepts(images(MIN_IMAGES, true));
    accepts(images(MAX_IMAGES, false));
    refuses("images", images(MAX_IMAGES + 1, false));
    assert_eq!(images(USUAL_IMAGES, false).warning(), None);
    assert!(images(3, true).warning().unwrap().contains("3 images have 3 pairs"));
}

#[test]
fn sizes() {
    let size = |height, width| Settings { images: 6, size: [height, width], ..Settings::default() };
    accepts(size(MIN_SIDE, MAX_SIDE));
    refuses("size", size(MIN_SIDE - 1, 64));
    refuses("size", size(64, MIN_SIDE - 1));
    refuses("size", size(MAX_SIDE + 1, 64));
    refuses("size", size(64, MAX_SIDE + 1));
    let side = 256;
    let most = MAX_PIXELS / (side * side);
    accepts(Settings { images: most, ..size(side, side) });
    refuses("images x size", Settings { images: most, ..size(side, side + 1) });
}

#[test]
fn numbers() {
    let stop = |stop| Settings { stop, ..small() };
    let usual = StopRule::default();
    accepts(stop(StopRule { steps: 1, ..usual }));
    accepts(stop(StopRule { steps: MAX_STEPS, ..usual }));
    refuses("stop.steps", stop(StopRule { steps: 0, ..usual }));
    refuses("stop.steps", stop(StopRule { steps: MAX_STEPS + 1, ..usual }));
    refuses("stop.mean_abs_r", stop(StopRule { mean_abs_r: -0.1, ..usual }));
    refuses("stop.relative_change", stop(StopRule { relative_change: f64::NAN, ..usual }));
    for rate in [0.0, -1.0, 11.0, f64::NAN, f64::INFINITY] {
        refuses("learning_rate", Settings { learning_rate: rate, ..small() });
    }
    for until in [-0.1, 1.1, f64::NAN] {
        let transforms = Transforms { until, ..Transforms::default() };
        refuses("transforms.until", Settings { transforms, ..small() });
    }
    for decay in [-0.1, 4.1, f64::NAN] {
        refuses(
            "parametrisation.decay",
            Settings { parametrisation: Parametrisation::Fourier { decay }, ..small() },
        );
    }
    let objective = |objective| Settings { objective, ..small() };
    let usual = Objective::default();
    refuses("objective.total_variation", objective(Objective { total_variation: -1.0, ..usual }));
    refuses("objective.range", objective(Objective { range: f64::NAN, ..usual }));
    refuses("objective.spread", objective(Objective { spread: f64::INFINITY, ..usual }));
    refuses("objective.spread_floor", objective(Objective { spread_floor: 1.1, ..usual }));
    refuses("objective.adjacent_weight", objective(Objective { adjacent_weight: -1.0, ..usual }));
    refuses("objective.soft_max", objective(Objective { soft_max: 1e5, ..usual }));
    accepts(objective(Objective { soft_max: 1e4, spread_floor: 1.0, adjacent_weight: 0.0, ..usual }));
}
