"""What the short versions of run.sh share."""
import unittest

import chains
import crash
import loki_server


def mode_of(name):
    return next(mode for mode in chains.MODES if mode.name == name)


class CrashCase(unittest.TestCase):
    """Tests that share a Loki, and judge what happened to a chain."""

    @classmethod
    def setUpClass(cls):
        cls.loki = loki_server.Loki()
        cls.addClassCleanup(cls.loki.stop)

    def run_plan(self, plan, world_class=crash.World):
        """The outcome, and what the chain said if something went wrong."""
        return crash.run_one(plan, self.loki, world_class=world_class)

    def assert_sound(self, outcome, errors, share):
        """Nothing went wrong, and more than this share of the lines was written."""
        # A share of few lines says little: a request in flight at a kill may be more than that. The long version holds it.
        wrongs = [wrong for wrong in outcome.wrongs if "counted more than once" not in wrong]
        self.assertEqual(wrongs, [], errors)
        self.assertGreater(outcome.verdict.written, share * outcome.plan.seconds * outcome.plan.rate)
