//! Tails against SciPy 1.x.

use ventral_searchlight::group::{
    normal_upper_tail, t_of_upper_tail, t_two_sided, t_upper_tail, z_of_t, z_of_upper_tail,
};

fn relative(found: f64, expected: f64, tolerance: f64) {
    assert!((found / expected - 1.0).abs() < tolerance, "{found} is not {expected}");
}

#[test]
fn student_tails_equal_scipy() {
    let cases = [
        (1, 0.3, 0.4072264209222577, 0.8144528418445154),
        (2, -1.7, 0.8843832868992144, 0.23123342620157122),
        (7, 2.5, 0.020496109292876444, 0.04099221858575289),
        (12, 0.01, 0.4960928074942518, 0.9921856149885036),
        (12, 8.0, 1.879949112375129e-06, 3.759898224750258e-06),
        (15, 40.0, 5.845330620433193e-17, 1.1690661240866386e-16),
        (31, 3.3, 0.0012184800656434892, 0.0024369601312869784),
        (1000, 5.0, 3.3836281823243174e-07, 6.767256364648635e-07),
    ];
    for (df, t, upper, both) in cases {
        relative(t_upper_tail(t, df), upper, 1e-12);
        relative(t_two_sided(t, df), both, 1e-12);
    }
    assert_eq!(t_two_sided(f64::INFINITY, 4), 0.0);
    assert_eq!(t_two_sided(0.0, 4), 1.0);
    assert!(t_two_sided(f64::NAN, 4).is_nan() && t_two_sided(1.0, 0).is_nan());
}

#[test]
fn normal_tail_and_its_inverse_equal_scipy() {
    let tails = [
        (-3.0, 0.9986501019683699),
        (1.0, 0.15865525393145707),
        (2.4999, 0.006211418374944587),
        (2.5, 0.006209665325776132),
        (6.0, 9.865876450376946e-10),
        (30.0, 4.906713927147908e-198),
    ];
    for (z, tail) in tails {
        relative(normal_upper_tail(z), tail, 1e-12);
    }
    let quantiles = [
        (1e-300, 37.0470962993612),
        (1e-20, 9.262340089798409),
        (0.0005, 3.2905267314918945),
        (0.02, 2.053748910631823),
        (0.3, 0.5244005127080409),
        (0.7, -0.5244005127080407),
        (0.999, -3.090232306167813),
    ];
    for (p, z) in quantiles {
        relative(z_of_upper_tail(p), z, 1e-13);
    }
    assert!(z_of_upper_tail(0.5).abs() < 1e-15);
    assert_eq!((z_of_upper_tail(0.0), z_of_upper_tail(1.0)), (f64::INFINITY, f64::NEG_INFINITY));
    assert!(z_of_upper_tail(1.5).is_nan());
}

#[test]
fn student_quantiles_equal_scipy() {
    relative(t_of_upper_tail(0.001, 15), 3.7328344253109003, 1e-12);
    relative(t_of_upper_tail(1e-6, 12), 8.504302718054584, 1e-12);
    relative(t_of_upper_tail(0.9, 3), -1.637744353696209, 1e-12);
    assert!(t_of_upper_tail(0.0, 3).is_nan());
}

#[test]
fn z_of_t_has_the_same_tail_and_sign() {
    relative(normal_upper_tail(z_of_t(3.3, 31)), t_upper_tail(3.3, 31), 1e-10);
    assert_eq!(z_of_t(-3.3, 31), -z_of_t(3.3, 31));
    assert!(z_of_t(f64::NAN, 31).is_nan());
}
