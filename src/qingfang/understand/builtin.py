"""Names every database brings along: its functions, its catalogues, and what they give away.

Facts only, a name a word: the functions of PostgreSQL 18 that a query may call without reading a
file, another server or another session; the common ones of the other dialects. A function that is
neither here nor in the catalogue nor known to the parser makes a statement opaque.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Every dialect.
_COMMON: frozenset[str] = _words(
    """
    abs ascii avg cast ceil ceiling char char_length character_length chr coalesce concat
    concat_ws count cume_dist current_date current_time current_timestamp day dense_rank exp
    extract first_value floor greatest hour initcap instr lag last_value lead least left
    length ln localtime localtimestamp log lower lpad ltrim max min minute mod month now
    nth_value ntile nullif percent_rank position power rank repeat replace reverse right
    round row_number rpad rtrim second sign sqrt stddev stddev_pop stddev_samp substr
    substring sum translate trim trunc upper var_pop var_samp variance year
    """
)

# pg_proc of PostgreSQL 18, without the internals no query calls by name.
_POSTGRES: frozenset[str] = _words(
    """
    abbrev abs acos acosd acosh age amvalidate array_agg array_append array_cat array_dims
    array_fill array_lower array_ndims array_position array_positions array_prepend
    array_remove array_replace array_reverse array_sample array_shuffle array_sort
    array_to_json array_to_string array_to_tsvector array_upper ascii asin asind asinh atan
    atan2 atan2d atand atanh avg bernoulli bit bit_and bit_count bit_length bit_or bit_xor
    bitcat bool bool_alltrue bool_and bool_anytrue bool_or box bpchar broadcast bytea
    cardinality casefold cbrt ceil ceiling char char_length character_length chr
    clock_timestamp col_description concat concat_ws convert convert_from convert_to corr
    cos cosd cosh cot cotd count covar_pop covar_samp crc32 crc32c cume_dist current_catalog
    current_database current_date current_query current_schema current_schemas
    current_setting current_user currval date date_add date_part date_subtract date_trunc
    datemultirange daterange decode degrees dense_rank div encode enum_first enum_last
    enum_range erf erfc every exp extract factorial family first_value float4 float8 floor
    format format_type gamma gcd gen_random_uuid generate_series generate_subscripts get_bit
    get_byte get_current_ts_config has_any_column_privilege has_column_privilege
    has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege
    has_language_privilege has_parameter_privilege has_schema_privilege
    has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege
    has_type_privilege hashtext host hostmask icu_unicode_version in_range initcap int2 int4
    int4range int8 int8range interval isfinite json_agg json_agg_strict json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object json_object_agg
    json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
    json_object_keys json_populate_record json_populate_recordset json_strip_nulls
    json_to_record json_to_recordset json_to_tsvector json_typeof jsonb_agg jsonb_agg_strict
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_contains jsonb_delete_path jsonb_each jsonb_each_text
    jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg
    jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
    jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match
    jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz
    jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz
    jsonb_populate_record jsonb_populate_record_valid jsonb_populate_recordset jsonb_pretty
    jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
    jsonb_to_tsvector jsonb_typeof justify_days justify_hours justify_interval lag
    last_value lastval lcm lead left length lgamma like ln log log10 lower lower_inc
    lower_inf lpad ltrim make_date make_interval make_time make_timestamp make_timestamptz
    masklen max md5 min min_scale mod mode money multirange mxid_age name netmask network
    nextval normalize notlike now npoints nth_value ntile num_nonnulls num_nulls numeric
    numeric_inc obj_description octet_length overlaps overlay parse_ident percent_rank
    percentile_cont percentile_disc pg_advisory_lock pg_advisory_lock_shared
    pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
    pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_backend_pid pg_basetype
    pg_char_to_encoding pg_client_encoding pg_column_compression pg_column_is_updatable
    pg_column_size pg_column_toast_chunk_id pg_current_snapshot pg_current_xact_id
    pg_current_xact_id_if_assigned pg_cursor pg_database_collation_actual_version
    pg_database_size pg_describe_object pg_encoding_max_length pg_encoding_to_char
    pg_extension_update_paths pg_function_is_visible pg_get_acl pg_get_constraintdef
    pg_get_expr pg_get_function_arg_default pg_get_function_arguments
    pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody
    pg_get_functiondef pg_get_indexdef pg_get_keywords pg_get_object_address
    pg_get_partition_constraintdef pg_get_partkeydef pg_get_publication_tables
    pg_get_ruledef pg_get_sequence_data pg_get_serial_sequence pg_get_statisticsobjdef
    pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef
    pg_get_userbyid pg_get_viewdef pg_get_wait_events pg_has_role
    pg_index_column_has_property pg_indexes_size pg_input_error_info pg_input_is_valid
    pg_is_in_recovery pg_is_other_temp_schema pg_is_wal_replay_paused pg_jit_available
    pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_listening_channels
    pg_log_standby_snapshot pg_my_temp_schema pg_notification_queue_usage pg_notify
    pg_numa_available pg_options_to_table pg_postmaster_start_time pg_relation_filenode
    pg_relation_filepath pg_relation_is_publishable pg_relation_is_updatable
    pg_relation_size pg_sequence_last_value pg_sequence_parameters pg_size_bytes
    pg_size_pretty pg_sleep pg_sleep_for pg_sleep_until pg_stat_force_next_flush
    pg_stat_get_numscans pg_stat_have_stats pg_table_is_visible pg_table_size
    pg_tablespace_location pg_tablespace_size pg_total_relation_size pg_try_advisory_lock
    pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
    pg_type_is_visible pg_typeof phraseto_tsquery pi plainto_tsquery point position
    postgresql_fdw_validator pow power pt_contained_circle pt_contained_poly querytree
    quote_ident quote_literal quote_nullable radians random random_normal range_agg
    range_intersect range_intersect_agg range_merge range_minus rank regclass
    regexp_split_to_array regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
    regr_sxx regr_sxy regr_syy repeat replace reverse right round row_number
    row_security_active row_to_json rpad rtrim satisfies_hash_partition scale session_user
    set_bit set_byte set_config set_masklen setseed setval setweight sha224 sha256 sha384
    sha512 shobj_description sign similar_escape similar_to_escape sin sind sinh split_part
    sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg
    string_to_array string_to_table strip strpos substr substring sum
    array_length btrim getdatabaseencoding oidvectortypes pg_available_extensions
    pg_collation_is_visible pg_conversion_is_visible pg_opclass_is_visible
    pg_operator_is_visible pg_opfamily_is_visible pg_partition_ancestors pg_partition_tree
    pg_statistics_obj_is_visible pg_timezone_names pg_ts_config_is_visible
    pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible ts_token_type
    suppress_redundant_updates_trigger merge_action table_to_xmlschema cursor_to_xmlschema system system_user tan tand tanh text textanycat
    textcat texteq texteqname textgename textgtname time time_hash time_hash_extended
    timeofday timestamp timestamp_hash timestamp_hash_extended timestamptz timestamptz_hash
    timestamptz_hash_extended timetz timetz_hash timetz_hash_extended timetzdate_pl timezone
    to_ascii to_char to_date to_hex to_json to_jsonb to_number to_oct to_regclass
    to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure
    to_regrole to_regtype to_regtypemod to_timestamp to_tsquery to_tsvector
    transaction_timestamp translate trim_array trim_scale trunc ts_delete ts_filter
    ts_headline ts_rank ts_rank_cd ts_rewrite tsq_mcontained tsq_mcontains tsrange
    tstzmultirange tstzrange txid_current txid_current_if_assigned txid_current_snapshot
    txid_snapshot_xip txid_snapshot_xmax txid_status txid_visible_in_snapshot
    unicode_assigned unicode_version unistr unnest upper upper_inc upper_inf user
    utf8_to_johab utf8_to_uhc uuidv4 uuidv7 var_pop var_samp varchar variance version
    websearch_to_tsquery width_bucket xml xml_is_well_formed xml_is_well_formed_content
    xml_is_well_formed_document xmlagg xmlcomment xmlconcat2 xmlexists xmltext xmlvalidate
    xpath xpath_exists
    """
)

# MySQL 8 and MariaDB.
_MYSQL: frozenset[str] = _words(
    """
    adddate addtime any_value bin bit_and bit_length bit_or bit_xor connection_id conv
    convert_tz crc32 curdate current_user curtime database date date_add date_format
    date_sub datediff dayname dayofmonth dayofweek dayofyear elt export_set field
    find_in_set format found_rows from_days from_unixtime get_format get_lock group_concat
    hex if ifnull inet_aton inet_ntoa insert is_free_lock is_used_lock isnull json_array
    json_arrayagg json_contains json_extract json_length json_object json_objectagg
    json_unquote last_day last_insert_id lcase locate log10 log2 makedate maketime md5
    microsecond mid monthname oct octet_length ord period_add period_diff pi quarter quote
    radians rand release_lock row_count schema sec_to_time session_user sha sha1 sha2 sleep
    soundex space std str_to_date strcmp sub subdate subtime sysdate system_user time
    time_format time_to_sec timediff timestamp timestampadd timestampdiff to_days ucase
    unhex unix_timestamp user utc_date utc_time utc_timestamp uuid values version week
    weekday weekofyear yearweek
    """
)

# SQL Server.
_TSQL: frozenset[str] = _words(
    """
    app_name avg charindex checksum checksum_agg choose columnproperty context_info convert
    count_big cube databasepropertyex datalength dateadd datediff datefromparts datename
    datepart datetimefromparts day db_id db_name eomonth error_line error_message
    error_number format getdate getutcdate grouping grouping_id hashbytes host_id host_name
    ident_current iif indexproperty isdate isnull isnumeric json_modify json_query
    json_value len nchar newid newsequentialid object_definition_length object_id
    object_name objectproperty openjson original_login parse parsename patindex program_name
    quotename rand replicate rollup rowcount_big schema_id schema_name scope_identity
    serverproperty session_context session_user sessionproperty soundex space square stdev
    stdevp str string_agg string_escape string_split stuff suser_id suser_name suser_sname
    switchoffset sysdatetime sysdatetimeoffset system_user sysutcdatetime textptr
    todatetimeoffset try_cast try_convert try_parse type_id type_name typeproperty unicode
    user_id user_name var varp xact_state
    """
)

# Oracle.
_ORACLE: frozenset[str] = _words(
    """
    add_months bitand cardinality dbtimezone decode dump empty_blob empty_clob getclobval
    getstringval grouping grouping_id hextoraw instrb json_array json_arrayagg json_object
    json_objectagg json_value last_day lengthb listagg lnnvl median months_between nanvl
    new_time next_day nls_initcap nls_lower nls_upper numtodsinterval numtoyminterval nvl
    nvl2 ora_hash ratio_to_report rawtohex regexp_count regexp_instr regexp_like
    regexp_replace regexp_substr remainder rowidtochar sessiontimezone soundex substrb
    sys_connect_by_path sys_context sys_guid sysdate systimestamp to_char to_clob to_date
    to_dsinterval to_lob to_multi_byte to_nchar to_number to_single_byte to_timestamp
    to_timestamp_tz to_yminterval trunc tz_offset uid unistr user userenv vsize width_bucket
    wm_concat xmlagg xmlelement xmlforest xmlserialize xmltype
    """
)

# SQLite.
_SQLITE: frozenset[str] = _words(
    """
    changes char date datetime format glob group_concat hex ifnull iif instr json json_array
    json_array_length json_each json_extract json_group_array json_group_object json_insert
    json_object json_patch json_remove json_replace json_set json_tree json_type json_valid
    julianday last_insert_rowid like likelihood likely nullif printf quote random randomblob
    sqlite_source_id sqlite_version strftime time total total_changes typeof unicode
    unixepoch unlikely zeroblob
    """
)

# Aggregates that hand rows on in one value.
PACKERS: frozenset[str] = _words(
    """
    array_agg collect group_concat json_agg json_agg_strict json_arrayagg json_group_array
    json_group_object json_object_agg json_object_agg_strict json_object_agg_unique
    json_objectagg jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict
    jsonb_object_agg_unique listagg range_agg string_agg wm_concat xmlagg
    """
)

# Aggregates that add up, by the names the parser does not know.
AGGREGATES: frozenset[str] = _words(
    """
    approx_count_distinct avg bit_and bit_or bit_xor bool_and bool_or checksum_agg corr
    count count_big covar_pop covar_samp every grouping median percentile_cont
    percentile_disc ratio_to_report regr_avgx regr_avgy regr_count regr_intercept regr_r2
    regr_slope regr_sxx regr_sxy regr_syy std stddev stddev_pop stddev_samp stdev stdevp sum
    total var var_pop var_samp variance varp
    """
)

# Functions that run a text given to them as SQL.
REMOTE: frozenset[str] = _words(
    """
    connectby crosstab crosstab2 crosstab3 crosstab4 crosstabn dblink dblink_exec
    dblink_open dblink_send_query dbms_xmlgen.getxml getxml opendatasource openquery
    openrowset query_to_xml query_to_xml_and_xmlschema query_to_xmlschema sys_eval ts_stat
    xpath_table cursor_to_xml database_to_xml database_to_xml_and_xmlschema schema_to_xml
    schema_to_xml_and_xmlschema table_to_xml table_to_xml_and_xmlschema
    """
)

# Those that hand out the rows of the table they are given the name of.
WHOLE_TABLES: frozenset[str] = _words("table_to_xml table_to_xml_and_xmlschema")

FUNCTIONS: dict[str, frozenset[str]] = {
    "postgres": _COMMON | _POSTGRES,
    "mysql": _COMMON | _MYSQL,
    "tsql": _COMMON | _TSQL,
    "oracle": _COMMON | _ORACLE,
    "sqlite": _COMMON | _SQLITE,
}

_SYSTEM_SCHEMAS = frozenset(
    {"pg_catalog", "information_schema", "pg_toast", "sys", "performance_schema", "sysibm"}
)
_SYSTEM_PREFIXES: dict[str, tuple[str, ...]] = {
    "postgres": ("pg_",),
    "oracle": ("all_", "dba_", "user_", "v$", "gv$", "nls_", "v_$"),
    "sqlite": ("sqlite_",),
    "tsql": ("sysobjects", "syscolumns", "sysusers", "sysprocesses", "sysdatabases", "systypes"),
    "mysql": (),
}
# Values of the tables, or texts of statements: the columns that hold them; an empty set is all.
_TELLING: dict[str, frozenset[str]] = {
    "pg_stats": frozenset({"most_common_vals", "histogram_bounds", "most_common_elems"}),
    "pg_stats_ext": frozenset({"most_common_vals"}),
    "pg_stats_ext_exprs": frozenset(),
    "pg_statistic": frozenset(),
    "pg_statistic_ext_data": frozenset(),
    "pg_stat_statements": frozenset({"query"}),
    "pg_stat_activity": frozenset({"query"}),
    "pg_largeobject": frozenset(),
    "pg_authid": frozenset(),
    "pg_shadow": frozenset(),
    "pg_cursors": frozenset({"statement"}),
    "pg_prepared_statements": frozenset({"statement"}),
    "processlist": frozenset({"info"}),
    "column_statistics": frozenset(),
    "general_log": frozenset(),
    "slow_log": frozenset(),
    "innodb_trx": frozenset({"trx_query"}),
    "dm_exec_sql_text": frozenset(),
    "dm_exec_query_plan": frozenset(),
    "dm_exec_cached_plans": frozenset(),
    "dm_db_stats_histogram": frozenset(),
    "fn_get_audit_file": frozenset(),
    "fn_dblog": frozenset(),
    "sqlite_stat4": frozenset(),
}
# Those of them whose values are the tables' own: how often which value occurs in a column.
_HISTOGRAMS = frozenset(
    {
        *("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic"),
        *("pg_statistic_ext_data", "column_statistics", "dm_db_stats_histogram"),
    }
)
_HISTOGRAM_PARTS = ("histogram", "tab_col_statistics")
_TELLING_PARTS = ("sql", "histogram", "tab_histograms", "logmnr", "audit", "tab_col_statistics")


def is_system(name: str, dialect: str) -> bool:
    """Whether a table name (lower case, dotted) is one of the database's own."""
    parts = name.split(".")
    if len(parts) > 1 and parts[-2] in _SYSTEM_SCHEMAS:
        return True
    if len(parts) > 1 and parts[-2] == "mysql" and dialect == "mysql":
        return True
    return len(parts) == 1 and parts[0].startswith(_SYSTEM_PREFIXES.get(dialect, ()) or ("\0",))


def gives_away(name: str, columns: frozenset[str], star: bool, dialect: str) -> bool:
    """Whether a system catalogue read so hands out values of tables or texts of statements."""
    last = name.rsplit(".", maxsplit=1)[-1]
    if last in _TELLING:
        telling = _TELLING[last]
        return star or not telling or bool(telling & columns)
    if dialect == "oracle":
        return any(part in last for part in _TELLING_PARTS)
    return False


def is_histogram(name: str) -> bool:
    """Whether what a system catalogue gives away is how often which value occurs."""
    last = name.rsplit(".", maxsplit=1)[-1]
    return last in _HISTOGRAMS or any(part in last for part in _HISTOGRAM_PARTS)
