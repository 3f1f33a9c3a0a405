"""Whether this machine has the sentence model for notes: `make setup-dev` brings it where there is one."""

import pytest

from api.lexicons import feeling_reader

needs_sentence_model = pytest.mark.skipif(
    feeling_reader().read("Good").likelihood is None, reason="no sentence model for this machine"
)
