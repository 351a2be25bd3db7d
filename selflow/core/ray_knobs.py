"""Ray internals that make a session fit a laptop (docs/ray.md#knobs)."""

LAPTOP_KNOBS: dict[str, str] = {
    "RAY_task_events_max_num_task_in_gcs": "5000",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_num_workers_soft_limit": "1",
    "RAY_min_spilling_size": "16777216",
    "RAY_max_io_workers": "1",
    "RAY_max_lineage_bytes": "33554432",
    "RAY_memory_monitor_refresh_ms": "1000",
    "RAY_raylet_report_resources_period_milliseconds": "1000",
    "RAY_raylet_check_gc_period_milliseconds": "2000",
    "RAY_local_fs_monitor_interval_ms": "5000",
    "RAY_kill_idle_workers_interval_ms": "5000",
    "RAY_metrics_report_interval_ms": "60000",
    "RAY_ROTATION_MAX_BYTES": "5000000",
    "RAY_ROTATION_BACKUP_COUNT": "2",
    "RAY_debug_dump_period_milliseconds": "0",
    "RAY_worker_niceness": "5",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "1.0",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "1",
}
"""The environment of a session of ours; SelFlow also runs with none of them."""
