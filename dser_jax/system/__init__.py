"""Files, signals, processes, machines: nothing of speech.

What any long job needs: errors a user can mend, files that are whole or not there, a folder's
lock, Ctrl-C, a progress bar, compiled programs on disk. Open `errors.py` first, then
`files/atomic.py`.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.system.background import Beside, Later, NotMade, make_later
    from dser_jax.system.compile_cache import (
        cache_root,
        enable_compile_cache,
        recall,
        remember,
    )
    from dser_jax.system.cores import (
        available_cores,
        check_device,
        device_in_words,
        mend_device,
        unfit_for_lanes,
        use_all_cores,
    )
    from dser_jax.system.errors import BadInput, DataError, DserError, last_line, look_up, meant
    from dser_jax.system.files.atomic import (
        TEMPORARY,
        check_place,
        flush_folder,
        flushing,
        remove_stale,
        replacing,
        replacing_folder,
        saying,
        sync_folder,
        write_text,
    )
    from dser_jax.system.files.checksums import forget_digests, sha256_file, sha256_open
    from dser_jax.system.files.lock import FolderLock, held
    from dser_jax.system.files.reading import (
        inside,
        map_array,
        parse_json,
        read_archive,
        read_array,
    )
    from dser_jax.system.files.sealed import (
        check_digests,
        digests_of,
        parse_sealed,
        read_sealed,
        to_sealed,
        write_sealed,
    )
    from dser_jax.system.files.unreadable import kind_of, unread
    from dser_jax.system.interrupt import deferred_interrupt, without_interrupts
    from dser_jax.system.loops import loop_options, loops_in_words
    from dser_jax.system.output import (
        console_of,
        csv_text,
        harmless,
        plural,
        print_utf8,
        printable,
        quiet_matplotlib,
        replace_unknown,
        settle,
        tell,
    )
    from dser_jax.system.progress import Progress, say, span
    from dser_jax.system.signals import (
        EXIT_INTERRUPTED,
        NAMES,
        Interrupted,
        Signals,
        nothing_to_lose,
    )
else:
    __getattr__, __dir__, __all__ = exports(__name__)
