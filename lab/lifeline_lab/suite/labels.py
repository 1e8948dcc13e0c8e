"""Which of Django's tests are run: those that touch connections, transactions and queries."""

from __future__ import annotations

from pathlib import Path

# Connections, transactions and everything that forks, threads or serves: minutes on both arms.
SHORT = (
    "backends transactions transaction_hooks basic get_or_create select_for_update servers"
    " bulk_create requests_tests"
).split()
FULL = [
    *SHORT,
    *(
        "queries test_utils test_runner delete update multiple_database handlers asgi async"
        " fixtures introspection inspectdb schema migrations aggregation expressions"
        " aggregation_regress annotations bulk_create check_framework constraints custom_pk"
        " dates datetimes db_functions db_typecasts db_utils dbshell defer delete_regress"
        " distinct_on_fields empty expressions_case expressions_window fixtures_model_package"
        " fixtures_regress force_insert_update foreign_object generic_relations"
        " get_earliest_or_latest indexes known_related_objects lookup m2m_through many_to_many"
        " many_to_one migrate_signals migration_test_data_persistence model_fields"
        " model_inheritance nested_foreign_keys null_queries one_to_one or_lookups ordering"
        " pagination postgres_tests prefetch_related proxy_models raw_query reverse_lookup"
        " save_delete_hooks select_related select_related_onetoone serializers sessions_tests"
        " signals swappable_models test_client test_client_regress timezones unmanaged_models"
        " update_only_fields view_tests wsgi xor_lookups"
    ).split(),
]


# Not labels of their own.
NO_TESTS = {"gis_tests", "import_error_package", "test_runner_apps"}


def present(labels: list[str], tests: Path) -> list[str]:
    """Return the labels that this Django has.

    ``short`` and ``full`` stand for the sets above, ``all`` for everything but the maps.
    """
    folders = {path.parent.name for path in tests.glob("*/__init__.py")}
    sets = {"short": SHORT, "full": FULL, "all": sorted(folders - NO_TESTS)}
    wanted = [label for given in labels for label in sets.get(given, [given])]
    return [label for label in dict.fromkeys(wanted) if label.split(".")[0] in folders]
