"""CIFAR-10 and cats against dogs, on small archives in the official format: no test needs a network."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from typing import Any, ClassVar

import numpy as np
import PIL.Image
import pytest

from lrcourse.data import cats_vs_dogs, cifar10
from lrcourse.data.download import archive

RNG = np.random.default_rng(0)


class Python2Pickler(pickle._Pickler):
    """Pickles as the official batches were: strings of Python 2, and NumPy under the name it had then."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self: Any, value):
        text = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + len(text).to_bytes(4, "little") + text)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def pickled(batch):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(batch)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def write_cifar(folder, batches):
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as target:
        for name, batch in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(batch)
            target.addfile(member, io.BytesIO(batch))


def cifar_batch(images, labels):
    """Rows of 3072 bytes, the red plane first, beside a list of labels."""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    names = [f"picture_{i}.png".encode() for i in range(len(images))]
    return {b"batch_label": b"a batch", b"labels": labels.tolist(), b"data": rows, b"filenames": names}


NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


@pytest.fixture
def cifar(tmp_path):
    images = [RNG.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for n in (3, 2, 2, 2, 2, 4)]
    labels = [RNG.integers(0, 10, len(part)) for part in images]
    write_cifar(tmp_path, {name: pickled(cifar_batch(*each)) for name, *each in zip(NAMES, images, labels)})
    return tmp_path, images, labels


def test_cifar_batches_come_back_as_images_in_order(cifar):
    folder, images, labels = cifar
    data = cifar10(folder)
    np.testing.assert_array_equal(np.rint(255 * data.x_train), np.concatenate(images[:5]))
    np.testing.assert_array_equal(np.rint(255 * data.x_test), images[5])
    np.testing.assert_array_equal(data.y_train, np.concatenate(labels[:5]))
    np.testing.assert_array_equal(data.y_test, labels[5])
    assert data.x_train.dtype == np.float32 and data.y_train.dtype == np.int64


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Attack:
        def __reduce__(self):
            return print, ("run!",)

    write_cifar(tmp_path, {"data_batch_1": pickled({b"data": Attack()})})
    with pytest.raises(pickle.UnpicklingError, match=r"print, which no array needs"):
        cifar10(tmp_path)


def jpeg(color, size=(40, 30), mode="RGB", format="JPEG"):
    file = io.BytesIO()
    PIL.Image.new("RGB", size, color).convert(mode).save(file, format)
    return file.getvalue()


@pytest.fixture
def pets(tmp_path):
    """Cats are red and dogs blue; like the real archive: empty files, a cut one, gray ones, a GIF, a Thumbs.db."""
    files = {f"Cat/{i}.jpg": jpeg("red") for i in range(10)} | {f"Dog/{i}.jpg": jpeg("blue") for i in range(10)}
    files |= {"Cat/666.jpg": b"", "Dog/11702.jpg": b"", "Dog/9.jpg": jpeg("blue", size=(400, 300))[:-1500]}
    files |= {"Cat/835.jpg": jpeg("red", mode="L"), "Dog/7.jpg": jpeg("blue", format="GIF"), "Cat/Thumbs.db": b"xx"}
    for name, content in files.items():
        path = tmp_path / "PetImages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def zipped(folder, target):
    target.mkdir()
    with zipfile.ZipFile(target / "kagglecatsanddogs_5340.zip", "w") as archive:
        archive.writestr("readme[1].txt", "Asirra")
        for path in (folder / "PetImages").rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    return target


def test_pets_are_squares_in_two_classes_and_broken_files_are_counted(pets, tmp_path):
    with pytest.warns(UserWarning, match="3 files are no images and are left out, such as 666.jpg"):
        unpacked = cats_vs_dogs(pets, size=16, test_size=0.5)
    with pytest.warns(UserWarning, match="3 files"):
        packed = cats_vs_dogs(zipped(pets, tmp_path / "zip"), size=16, test_size=0.5)
    for name in ["x_train", "y_train", "x_test", "y_test"]:
        np.testing.assert_array_equal(getattr(unpacked, name), getattr(packed, name))
    assert unpacked.x_train.shape == (10, 16, 16, 3) and unpacked.x_train.dtype == np.float32
    assert len(unpacked.x_test) == 10 and np.bincount(unpacked.y_train).tolist() in ([5, 5], [6, 4])
    red, blue = unpacked.x_train[..., 0].mean((1, 2)), unpacked.x_train[..., 2].mean((1, 2))
    gray = np.isclose(red, blue)
    np.testing.assert_array_equal((blue > red)[~gray], unpacked.y_train[~gray] == 1)


def test_a_photograph_is_cut_to_its_middle_square(tmp_path):
    picture = PIL.Image.new("RGB", (60, 30), "green")
    picture.paste("white", (15, 0, 45, 30))
    for kind in ("Cat", "Dog"):
        (tmp_path / "PetImages" / kind).mkdir(parents=True)
        for i in range(2):
            picture.save(tmp_path / "PetImages" / kind / f"{i}.jpg", quality=100, subsampling=0)
    data = cats_vs_dogs(tmp_path, size=30, test_size=0.5)
    assert data.x_train[:, :, 2:-2].min() > 0.9


@pytest.mark.parametrize("load", [cifar10, cats_vs_dogs])
def test_a_failed_download_says_what_to_do(load, tmp_path, monkeypatch):
    monkeypatch.setitem(load.__globals__, "URL", "http://127.0.0.1:9/archive")
    with pytest.raises(RuntimeError, match=r"(?s)could not download http://127.*MB.*folder=.*glyphs\(\)"):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"^folder must be an existing folder, got .*nowhere"):
        load(tmp_path / "nowhere")


def test_a_download_is_checked_and_kept(tmp_path):
    source, target = tmp_path / "source.bin", tmp_path / "target"
    source.write_bytes(b"content")
    target.mkdir()
    right = hashlib.sha256(b"content").hexdigest()
    with pytest.raises(RuntimeError, match="(?s)could not download.*sha256"):
        archive("a.bin", source.as_uri(), "0" * 64, "7 bytes", target)
    (target / "a.bin").unlink(missing_ok=True)
    assert archive("a.bin", source.as_uri(), right, "7 bytes", target).read_bytes() == b"content"
    source.unlink()
    assert archive("a.bin", source.as_uri(), right, "7 bytes", target).read_bytes() == b"content"


BAD = [({"size": 0}, "size"), ({"test_size": 1}, "test_size"), ({"seed": -1}, "seed")]


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        cats_vs_dogs(**arguments)
