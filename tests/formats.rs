//! Trajectories and parameters in files: against what NumPy, ASE and the paper's authors' library write
//! (`tests/references`), and against broken ones.
#![cfg(feature = "std")]

use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Model, Plan, RadialPath};
use eqflow::io::{
    KernelDynamics, ModelFile, Trajectory, open_kernel_dynamics, open_safetensors, read_trajectory,
    save_safetensors, write_trajectory,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use std::fs;
use std::path::{Path, PathBuf};

const REFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/references");

fn reference(name: &str) -> PathBuf {
    Path::new(REFERENCES).join(name)
}

/// The numbers of `tests/references/arrays.py`.
fn arange() -> Vec<f64> {
    (0..24).map(|i| f64::from(i) / 8.0 - 1.0).collect()
}

const PLANE: Shape = Shape { particles: 4, dimension: 2 };

/// Numbers that a careless writer or reader would change.
fn difficult(shape: Shape, n: usize) -> Trajectory {
    let numbers = [0.1, -1.0 / 3.0, 1e-300, -5e-324, 1e308, -0.0, 123_456_789.123_456_78, 2.0];
    let samples = (0..n * shape.coordinates()).map(|i| numbers[i % 8] * (1.0 + i as f64 / 1e3)).collect();
    Trajectory {
        species: (0..shape.particles).map(|i| ["Ar", "X1"][i % 2].to_string()).collect(),
        energies: Some((0..n).map(|i| if i == 1 { f64::INFINITY } else { 0.1 * i as f64 }).collect()),
        log_probs: Some((0..n).map(|i| -1e-7 * i as f64).collect()),
        ..Trajectory::new(shape, samples)
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_format_gives_back_the_bits() {
    let folder = tempfile::tempdir().unwrap();
    for dimension in 1..=3 {
        let written = difficult(Shape { particles: 4, dimension }, 3);
        for name in ["a.xyz", "a.EXTXYZ", "a.npz", "a.npy"] {
            let path = folder.path().join(name);
            write_trajectory(&path, &written).unwrap();
            let read = read_trajectory(&path, None).unwrap();
            assert_eq!(read.shape, written.shape, "{name}");
            assert_eq!(bits(&read.samples), bits(&written.samples), "{name}");
            if name != "a.npy" {
                assert_eq!((&read.energies, &read.log_probs), (&written.energies, &written.log_probs));
            }
            if name.to_lowercase().ends_with("xyz") {
                assert_eq!(read.species, written.species);
            }
            assert_eq!(read.len(), 3);
        }
    }
}

#[test]
fn numpy_reads_what_is_written_and_the_other_way_round() {
    let plain = read_trajectory(reference("plain.npy"), None).unwrap();
    assert_eq!((plain.shape, plain.samples.clone()), (PLANE, arange()));
    let fortran = read_trajectory(reference("fortran.npy"), Some(2)).unwrap();
    assert_eq!((fortran.shape, fortran.samples), (PLANE, arange()));
    let archive = read_trajectory(reference("compressed.npz"), None).unwrap();
    assert_eq!((archive.shape, archive.samples), (PLANE, arange()));
    assert_eq!(archive.energies, Some(vec![0.5, f64::INFINITY, -2.0]));
    assert_eq!(archive.log_probs, Some(vec![-1.0, -2.0, -3.0]));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.npy");
    write_trajectory(&path, &plain).unwrap();
    assert_eq!(fs::read(path).unwrap(), fs::read(reference("plain.npy")).unwrap());
}

/// Two frames as ASE 3.29 writes them.
const ASE: &str = r#"2
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.25 pbc="F F F"
Ar       0.00000000       0.00000000       0.25000000       0.00000000       0.00000000       0.00000000
Ar       1.50000000      -2.00000000       0.00000010       0.00000000       0.00000000       0.00000000
2
Properties=species:S:1:pos:R:3:forces:R:3 energy=3.5 pbc="F F F"
Ar       0.12500000       0.00000000       0.00000000       1.00000000       1.00000000       1.00000000
Ar       1.50000000      -2.00000000       3.00000000       1.00000000       1.00000000       1.00000000
"#;

fn xyz(text: &str, dimension: Option<usize>) -> Result<Trajectory, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xyz");
    fs::write(&path, text).unwrap();
    read_trajectory(&path, dimension).map_err(|error| {
        let message = error.to_string();
        let (before, after) = message.split_once("': ").unwrap();
        assert_eq!(before, format!("cannot read trajectory '{}", path.display()));
        after.to_string()
    })
}

#[test]
fn ase_and_plain_files_are_read() {
    let read = xyz(ASE, None).unwrap();
    assert_eq!(read.shape, Shape { particles: 2, dimension: 3 });
    assert_eq!(read.species, ["Ar", "Ar"]);
    assert_eq!(read.energies, Some(vec![-1.25, 3.5]));
    assert_eq!(read.log_probs, None);
    assert_eq!(read.samples, [0.0, 0.0, 0.25, 1.5, -2.0, 1e-7, 0.125, 0.0, 0.0, 1.5, -2.0, 3.0]);

    // Plain XYZ: any comment, more columns than needed, another line end, blank lines at the end.
    let plain = "2\r\nit's a frame of \"mine\r\nC 1 2 0 9.9 x\r\nC 3 4 -0.0\r\n\r\n \n";
    let read = xyz(plain, Some(2)).unwrap();
    assert_eq!(read.samples, [1.0, 2.0, 3.0, 4.0]);
    // Columns elsewhere, keys in quotes, braces and without a value, a lattice that is not periodic.
    let moved = "1\nnote=\"a = b\" Lattice='1 0 0 0 1 0 0 0 1' pbc=\"F F F\" flag Properties=id:I:1:pos:R:2:species:S:1 other={x y}\n7 1.5 -2 H\n";
    let read = xyz(moved, None).unwrap();
    assert_eq!(
        (read.shape.dimension, read.samples, read.species),
        (2, vec![1.5, -2.0], vec!["H".to_string()])
    );
    let named = "1\nProperties=pos:R:3 dimension=2 energy=inf log_prob=-3\n1 2 0\n";
    let read = xyz(named, None).unwrap();
    assert_eq!(
        (read.shape.dimension, read.energies, read.log_probs),
        (2, Some(vec![f64::INFINITY]), Some(vec![-3.0]))
    );
}

#[test]
fn a_broken_xyz_file_gives_line_and_reason() {
    let refused = |text: &str, dimension, words: &str| {
        let message = xyz(text, dimension).unwrap_err();
        assert_eq!(message, words, "{text}");
    };
    let frame = "1\n\nC 1 2 3\n";
    refused("", None, "line 1: no frame");
    refused("\n\n", None, "line 1: no frame");
    refused("abc\n", None, "line 1: 'abc' is not the number of particles of a frame");
    refused("0\n\n", None, "line 1: '0' is not the number of particles of a frame");
    refused("1", None, "line 2: the file ends before the frame's comment");
    refused("3\n\nC 1 2 3\nC 1 2 3\n", None, "line 5: the file ends after 2 of 3 particles");
    refused(
        "99999999999999999999\n\n",
        None,
        "line 1: '99999999999999999999' is not the number of particles of a frame",
    );
    refused(
        "18446744073709551615\nx\n",
        None,
        "line 3: the file ends after 0 of 18446744073709551615 particles",
    );
    refused("1\n\nC 1 2\n", None, "line 3: 3 columns, not 4");
    refused("1\n\nC 1 x 3\n", None, "line 3: column 3 is 'x', not a finite number");
    refused("1\n\nC 1 2 nan\n", None, "line 3: column 4 is 'nan', not a finite number");
    refused(&format!("{frame}1\n\nC 1 2 1e999\n"), None, "line 6: column 4 is '1e999', not a finite number");
    refused(frame, Some(2), "line 3: z is 3, not 0 as in 2 dimensions");
    refused(
        &format!("{frame}2\n\nC 1 2 3\nC 1 2 3\n"),
        None,
        "line 4: 2 particles in 3 dimensions after frames of 1 in 3",
    );
    refused(&format!("{frame}1\n\nH 1 2 3\n"), None, "line 6: particle 1 is H, in the frames before C");
    refused(
        &format!("{frame}1\nenergy=1\nC 1 2 3\n"),
        None,
        "line 5: energy, which the frames before do not have",
    );
    refused(
        &format!("1\nenergy=1\nC 1 2 3\n{frame}"),
        None,
        "line 5: no energy, which the frames before have",
    );
    refused("1\nenergy=low\nC 1 2 3\n", None, "line 2: energy is 'low', not a number");
    refused("1\nlog_prob=NaN\nC 1 2 3\n", None, "line 2: log_prob is 'NaN', not a number");
    refused("1\nenergy=\"1\nC 1 2 3\n", None, "line 2: the value of energy has no end");
    refused("1\ndimension=4\nC 1 2 3\n", None, "line 2: dimension is '4', not 1, 2 or 3");
    refused("1\nProperties=pos:R:2\n1 2\n", Some(3), "line 2: positions have 2 columns, not 3");
    refused("1\nProperties=species:S:1\nC\n", None, "line 2: Properties have no pos");
    refused(
        "1\nProperties=species:S:1:pos\nC\n",
        None,
        "line 2: Properties 'species:S:1:pos' is not made of name:type:columns",
    );
    refused("1\nProperties=pos:R:0\nC\n", None, "line 2: Properties give pos '0' columns");
    refused("1\nProperties=pos:S:3\nC\n", None, "line 2: Properties give pos as S:3");
    refused("1\nProperties=species:S:1:pos:R:3\nC 1 2 3 4\n", None, "line 3: 5 columns, not 4");
    let periodic = "line 2: the frame has periodic boundaries, which flows do not know";
    refused("1\nLattice=\"1 0 0 0 1 0 0 0 1\"\nC 1 2 3\n", None, periodic);
    refused("1\npbc=\"F F T\"\nC 1 2 3\n", None, periodic);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xyz");
    fs::write(&path, b"1\n\nC 1 2 \xff\n").unwrap();
    let message = read_trajectory(&path, None).unwrap_err().to_string();
    assert!(message.ends_with("line 3: not text in UTF-8"), "{message}");
}

#[test]
fn arrays_that_are_not_configurations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(reference("plain.npy")).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>), dimension, words: &str| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let path = folder.path().join("a.npy");
        fs::write(&path, bytes).unwrap();
        let message = read_trajectory(&path, dimension).unwrap_err().to_string();
        assert!(message.ends_with(words), "{message}");
    };
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            bytes.splice(at..at + from.len(), to.bytes());
        }
    };
    with(&|bytes| bytes.clear(), None, "it does not begin as NumPy's arrays do");
    with(&|bytes| bytes.truncate(9), None, "it ends within the header");
    with(&|bytes| bytes.truncate(100), None, "it ends within the header");
    with(&|bytes| bytes[6] = 9, None, "version 9 of the format is not known");
    with(
        &|bytes| bytes.truncate(bytes.len() - 1),
        None,
        "191 bytes of numbers do not fill the shape [3, 4, 2]",
    );
    with(&replace("<f8", "<i8"), None, "numbers of type '<i8'; only float64 and float32 are read");
    with(&replace("(3, 4, 2)", "(4, 3, 2)"), Some(3), "positions of shape [4, 3, 2], not [n, N, 3]");
    with(&replace("(3, 4, 2)", "(6, 4)   "), None, "positions of shape [6, 4], not [n, N, D]");
    with(&replace("(3, 4, 2)", "(1, 4, 6)"), None, "4 particles in 6 dimensions");
    with(&replace("(3, 4, 2)", "(3, x, 2)"), None, "the header's shape is not made of numbers");
    with(&replace("'shape'", "'shade'"), None, "the header has no shape");
    let last = f64::NAN.to_le_bytes();
    with(
        &|bytes| {
            let at = bytes.len() - 8;
            bytes[at..].copy_from_slice(&last);
        },
        None,
        "a position of configuration 2 (from 0) is NaN",
    );
    // A matrix where D is told.
    let path = folder.path().join("b.npy");
    let mut bytes = good.clone();
    replace("(3, 4, 2)", "(3, 8)   ")(&mut bytes);
    fs::write(&path, bytes).unwrap();
    assert_eq!(read_trajectory(&path, Some(2)).unwrap().samples, arange());

    let archive = folder.path().join("a.npz");
    fs::write(&archive, &good).unwrap();
    assert!(read_trajectory(&archive, None).is_err());
    let unknown = read_trajectory(folder.path().join("a.pdb"), None).unwrap_err().to_string();
    assert!(unknown.ends_with("its name ends neither in .xyz, .extxyz, .npy nor .npz"), "{unknown}");
    assert!(read_trajectory(folder.path().join("none.xyz"), None).is_err());
}

#[test]
fn what_does_not_fit_together_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let good = difficult(PLANE, 3);
    let refused = |name: &str, trajectory: &Trajectory, words: &str| {
        let path = folder.path().join(name);
        let message = write_trajectory(&path, trajectory).unwrap_err().to_string();
        assert!(message.ends_with(words), "{message}");
        assert!(!path.exists());
    };
    let short = Trajectory { samples: vec![0.0; 9], ..good.clone() };
    refused("a.npy", &short, "samples have length 9, not a whole number of configurations");
    refused(
        "a.npz",
        &Trajectory { energies: Some(vec![0.0]), ..good.clone() },
        "energies have length 1, not 3",
    );
    refused("a.xyz", &Trajectory { species: vec![], ..good.clone() }, "species have length 0, not 4");
    let spaced = Trajectory { species: vec!["a b".into(); 4], ..good.clone() };
    refused("a.xyz", &spaced, "the species 'a b' is not one word");
    refused("a.txt", &good, "its name ends neither in .xyz, .extxyz, .npy nor .npz");
    let missing = write_trajectory(folder.path().join("no").join("a.xyz"), &good).unwrap_err().to_string();
    assert!(missing.starts_with("cannot write trajectory '"), "{missing}");
}

fn same(a: &Model<'_>, b: &Model<'_>) {
    assert_eq!((a.basis, a.shape, a.eps.to_bits()), (b.basis, b.shape, b.eps.to_bits()));
    for ((name, a), (_, b)) in a.arrays().into_iter().zip(b.arrays()) {
        let all = |reals: Option<eqflow::flow::Reals<'_>>| {
            reals.map(|reals| reals.iter().map(f64::to_bits).collect::<Vec<_>>())
        };
        assert_eq!(all(a), all(b), "{name:?}");
    }
}

#[test]
fn models_come_back_from_safetensors_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for name in ["dw4-trained.eqf", "lj13-trained.eqf"] {
        let file =
            ModelFile::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)).unwrap();
        save_safetensors(&path, &file.model()).unwrap();
        same(&open_safetensors(&path).unwrap().model(), &file.model());
        let once = fs::read(&path).unwrap();
        save_safetensors(&path, &file.model()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), once, "the same model gives the same bytes");
        let bare = Model { bias: None, importance: None, ..file.model() };
        save_safetensors(&path, &bare).unwrap();
        same(&open_safetensors(&path).unwrap().model(), &bare);
        let wrong = Model { eps: -1.0, ..bare };
        assert!(save_safetensors(&path, &wrong).is_err());
        same(&open_safetensors(&path).unwrap().model(), &bare);
    }
}

const THREE: Shape = Shape { particles: 3, dimension: 2 };

/// What the state dictionary of `tests/references/kernel_dynamics.py` lacks.
fn known() -> KernelDynamics {
    KernelDynamics {
        shape: THREE,
        mu: (0..6).map(f64::from).collect(),
        gamma: Vec::new(),
        mu_time: (0..4).map(|i| f64::from(i) / 3.0).collect(),
        gamma_time: Vec::new(),
    }
}

#[test]
fn a_state_dictionary_of_the_authors_library_has_their_velocity() {
    let file = open_kernel_dynamics(reference("kernel_dynamics.safetensors"), &known()).unwrap();
    let config = Config::rk4(1).with_radial(RadialPath::Exact);
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&file.model(), &config).unwrap();
    let x = [0.5, -1.0, 1.5, 2.0, -2.0, -1.0];
    let velocities = [
        (
            0.0,
            [
                0.662276663378117,
                -0.19581883714970044,
                -0.14302051232243962,
                0.017281587401980658,
                -0.5192561510556774,
                0.17853724974771978,
            ],
        ),
        (
            0.3,
            [
                0.8253569242035725,
                -0.9323400711668841,
                0.34640693578432696,
                0.9628774243629118,
                -1.1717638599878994,
                -0.030537353196027683,
            ],
        ),
        (
            1.0,
            [
                -0.6681694177075174,
                1.571371277545647,
                -1.521278329583323,
                -2.4263609093183103,
                2.1894477472908402,
                0.8549896317726634,
            ],
        ),
    ];
    for (t, want) in velocities {
        let mut v = [0.0; 6];
        plan.parallel().field(t, &x, &mut v, None).unwrap();
        for (got, want) in v.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "t = {t}: {got} {want}");
        }
    }
}

/// Names and shapes of tensors.
type Named<'a> = Vec<(&'a str, Vec<usize>)>;

#[test]
fn a_state_dictionary_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    // M = 2, L = 1; every tensor zero.
    let tensors = [
        ("_weights", vec![2, 1]),
        ("_bias", vec![1, 1]),
        ("_importance", vec![2]),
        ("_neg_log_gammas", vec![2]),
        ("_neg_log_gammas_time", vec![1]),
    ];
    let known = KernelDynamics { mu: vec![0.0, 1.0], mu_time: vec![0.0], ..known() };
    let write = |tensors: &[(&str, Vec<usize>)], dtype: Dtype| {
        let zeros = [0u8; 64];
        let view = |shape: &Vec<usize>| {
            let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
            TensorView::new(dtype, shape.clone(), &zeros[..bytes]).unwrap()
        };
        let views: Vec<_> = tensors.iter().map(|(name, shape)| (*name, view(shape))).collect();
        fs::write(&path, serialize(views, None).unwrap()).unwrap();
        open_kernel_dynamics(&path, &known).map_err(|error| error.to_string())
    };
    let opened = write(&tensors, Dtype::F64).unwrap();
    assert_eq!(opened.model().gamma.get(0), 1.0);
    let refused = |change: &dyn Fn(&mut Named), words: &str| {
        let mut changed = tensors.to_vec();
        change(&mut changed);
        let message = write(&changed, Dtype::F32).unwrap_err();
        assert!(message.ends_with(words), "{message}");
    };
    refused(&|t| drop(t.remove(0)), "there is no tensor '_weights'");
    refused(&|t| drop(t.remove(1)), "there is no tensor '_bias'");
    refused(&|t| t.push(("other._weights", vec![1])), "_weights'");
    refused(&|t| t[1].1 = vec![1, 2], "'_bias' has shape [1, 2], not [1, 1]");
    refused(&|t| t[0].1 = vec![2], "_weights have shape [2], not [M, L]");
    refused(&|t| drop(t.remove(3)), "there is no tensor '_neg_log_gammas', and 0 given values are not 2");
    refused(&|t| t.push(("_mus", vec![3])), "'_mus' has shape [3], not [2]");
    assert!(write(&tensors, Dtype::F16).unwrap_err().ends_with("has type F16, not F32 or F64"));
    // Ours is another form.
    let message = open_safetensors(&path).unwrap_err().to_string();
    assert!(
        message.ends_with("its metadata have no 'eqflow': it is not a model of this library"),
        "{message}"
    );
    fs::write(&path, b"short").unwrap();
    assert!(open_safetensors(&path).is_err() && open_kernel_dynamics(&path, &known).is_err());
}
