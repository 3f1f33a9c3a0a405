"""A Chromium for the browser tests: one that is there, the system's package, or one in the private folder."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from servers.apt import Progress, quiet, run_apt
from servers.archives import debian_archives, fetch_packages
from servers.debian import Architecture, architecture, require_tools
from servers.errors import FetchError, MachineError
from servers.home import locked, make_home, partial_folder, require_space, sojourn_home, sweep_partials
from servers.unpack import is_whole, unpack, write_manifest

_RECIPE: Final = 1

NEEDED_BYTES: Final = 700_000_000
"""115 MB of packages, 330 MB unpacked, 60 MB of apt's index, the rest for profiles and screenshots."""

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chromium-headless-shell")

# The headless shell is Debian's Chromium without a window: no GTK, and half the packages. Fonts come with it, because
# a bare machine has none and a screenshot would show boxes.
_PACKAGES: Final = """
    chromium-headless-shell chromium-common fonts-inter fonts-dejavu-core patchelf
    libasound2t64 libasyncns0 libatk1.0-0t64 libatomic1 libatspi2.0-0t64 libblkid1 libbrotli1 libbz2-1.0 libc6
    libcap2 libdav1d7 libdbus-1-3 libdouble-conversion3 libdrm2 libexpat1 libffi8 libflac14 libfontconfig1
    libfreetype6 libgbm1 libgcc-s1 libglib2.0-0t64 libgraphite2-3 libharfbuzz-subset0 libharfbuzz0b libjpeg62-turbo
    libminizip1t64 libmount1 libmp3lame0 libmpg123-0t64 libnspr4 libnss3 libogg0 libopenh264-8 libopus0 libpcre2-8-0
    libpng16-16t64 libpulse0 libselinux1 libsndfile1 libsqlite3-0 libstdc++6 libsystemd0 libudev1 libvorbis0a
    libvorbisenc2 libwayland-server0 libx11-6 libx11-xcb1 libxau6 libxcb1 libxcomposite1 libxdamage1 libxdmcp6
    libxext6 libxfixes3 libxi6 libxkbcommon0 libxnvctrl0 libxrandr2 libxrender1 libzstd1 zlib1g
"""

_SHELL: Final = "usr/lib/chromium/chromium-headless-shell"

# Not through the loader as the servers are: Chromium starts its own processes from /proc/self/exe, which would be the
# loader. So the program itself names the private loader (patchelf), and the libraries come by environment.
_WRAPPER: Final = """\
#!/bin/sh
export FONTCONFIG_FILE='{root}/fonts.conf'
export LD_LIBRARY_PATH='{root}/usr/lib/{triplet}:{root}/usr/lib/{triplet}/pulseaudio'
exec '{root}/{shell}' "$@"
"""

_FONTS: Final = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{root}/fontcache</cachedir>
  <alias><family>sans-serif</family><prefer><family>Inter</family><family>DejaVu Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Inter</family><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


def find_chromium(home: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return a Chromium that runs, or None; fetches nothing.

    Parameters
    ----------
    home : Path, optional
        The private folder; `sojourn_home()` if not given.
    environment : mapping of str to str
        `SOJOURN_CHROMIUM` names one outright; `PATH` is searched.

    Raises
    ------
    MachineError
        The one that is named does not run.
    """
    named = environment.get("SOJOURN_CHROMIUM")
    if named:
        if not _runs(Path(named)):
            raise MachineError(
                f"SOJOURN_CHROMIUM names {named}, which is no Chromium that runs.",
                hint="Name another, or unset it: one is found or fetched then.",
            )
        return Path(named)
    for name in _NAMES:
        found = shutil.which(name, path=environment.get("PATH"))
        if found is not None and _runs(Path(found)):
            return Path(found)
    folder = _folder(sojourn_home() if home is None else home)
    return folder / "chromium" if is_whole(folder) else None


def provide_chromium(
    home: Path | None = None,
    progress: Progress = quiet,
    *,
    environment: Mapping[str, str] = os.environ,
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0,
) -> Path:
    """Return a Chromium that runs, fetching one if there is none.

    Root gets the system's package; anybody else, and root where that fails (Ubuntu's package is a snap), gets one in
    the private folder.

    Raises
    ------
    MachineError
        No apt, no room, an unsupported processor.
    FetchError
        No network, damaged packages, or it does not run.
    """
    home = sojourn_home() if home is None else home
    found = find_chromium(home, environment)
    if found is not None:
        return found
    require_tools("apt-get", "dpkg", "dpkg-deb", "tar")
    make_home(home)
    with locked(home, on_wait=lambda: progress("Waiting for another start that fetches packages", 0.0)):
        found = find_chromium(home, environment)
        if found is None and is_root() and _install_system_package(progress):
            found = find_chromium(home, environment)
        return found if found is not None else _unpack_chromium(home, progress)


def _folder(home: Path) -> Path:
    return home / f"chromium-{_RECIPE}"


def _runs(program: Path) -> bool:
    if "snap" in program.resolve().parts:  # sees neither our folders nor Playwright's profile
        return False
    try:
        run = subprocess.run([program, "--version"], check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and ("Chrom" in run.stdout)


def _install_system_package(progress: Progress) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    install = [
        "install",
        "--yes",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=120",
        "chromium",
        "fonts-inter",
    ]
    code, _text = run_apt(["update"], Path("/"), environment, "Reading the system's package index", progress)
    if code == 0:
        code, _text = run_apt(install, Path("/"), environment, "Installing Chromium", progress)
    return code == 0


def _unpack_chromium(home: Path, progress: Progress) -> Path:
    machine = architecture()
    sweep_partials(home)
    require_space(home, NEEDED_BYTES, "Fetching Chromium for the browser tests")
    final = _folder(home)
    with partial_folder(home, "chromium") as work:
        packages = fetch_packages(work, _PACKAGES.split(), debian_archives, progress)
        folder = work / "chromium"
        root = folder / "root"
        root.mkdir(parents=True)
        for number, package in enumerate(packages):
            progress("Unpacking", number / len(packages))
            unpack(package, root)
        _set_loader(root, machine, final / "root")
        _write_wrapper(folder, machine, final / "root")
        write_manifest(folder, [package.name for package in packages])
        shutil.rmtree(final, ignore_errors=True)
        folder.rename(final)
    if not _runs(final / "chromium"):
        shutil.rmtree(final, ignore_errors=True)
        raise FetchError("The fetched Chromium does not run on this machine.", hint="Install one, then start again.")
    return final / "chromium"


def _set_loader(root: Path, machine: Architecture, final_root: Path) -> None:
    private = [str(root / machine.loader), "--library-path", str(root / "usr/lib" / machine.triplet)]
    for program in (_SHELL, "usr/lib/chromium/chrome_crashpad_handler"):
        subprocess.run(
            [*private, str(root / "usr/bin/patchelf"), "--set-interpreter", str(final_root / machine.loader),
             str(root / program)],
            check=True, capture_output=True,
        )  # fmt: skip


def _write_wrapper(folder: Path, machine: Architecture, final_root: Path) -> None:
    (folder / "root/fonts.conf").write_text(_FONTS.format(root=final_root))
    wrapper = folder / "chromium"
    wrapper.write_text(_WRAPPER.format(root=final_root, triplet=machine.triplet, shell=_SHELL))
    wrapper.chmod(0o755)
