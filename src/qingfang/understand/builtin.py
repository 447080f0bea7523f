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

# Functions in pg_proc of PostgreSQL 18, without the internals no query calls by name.
POSTGRES: frozenset[str] = _words(
    """
    _pg_expandarray abbrev abs aclcontains acldefault aclexplode acos acosd acosh age
    amvalidate area array_agg array_append array_cat array_dims array_fill array_length
    array_lower array_ndims array_position array_positions array_prepend array_remove
    array_replace array_reverse array_sample array_shuffle array_sort array_to_json
    array_to_string array_to_tsvector array_upper arraycontained arraycontains arrayoverlap
    ascii asin asind asinh atan atan2 atan2d atand atanh avg bernoulli bit bit_and bit_count
    bit_length bit_or bit_xor bitcat bool bool_alltrue bool_and bool_anytrue bool_or bound_box
    box bpchar brin_desummarize_range brin_summarize_new_values brin_summarize_range broadcast
    btrim bytea cardinality casefold cash_words cbrt ceil ceiling center char char_length
    character_length chr cidr circle clock_timestamp col_description concat concat_ws convert
    convert_from convert_to corr cos cosd cosh cot cotd count covar_pop covar_samp crc32 crc32c
    cume_dist current_database current_query current_schema current_schemas current_setting
    current_user currval cursor_to_xmlschema database_to_xmlschema date date_add date_bin
    date_part date_subtract date_trunc datemultirange daterange decode degrees dense_rank
    diagonal diameter div elem_contained_by_multirange elem_contained_by_range encode
    enum_first enum_last enum_range erf erfc every exp extract factorial family first_value
    float4 float8 floor format format_type gamma gcd gen_random_uuid generate_series
    generate_subscripts get_bit get_byte get_current_ts_config getdatabaseencoding
    getpgusername gin_clean_pending_list has_any_column_privilege has_column_privilege
    has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege
    has_language_privilege has_largeobject_privilege has_parameter_privilege
    has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege
    has_tablespace_privilege has_type_privilege hash_array hash_numeric hash_record hashtext
    hashtextextended height host hostmask icu_unicode_version in_range inet_client_addr
    inet_client_port inet_merge inet_same_family inet_server_addr inet_server_port initcap int2
    int4 int4multirange int4range int8 int8multirange int8range interval is_normalized isclosed
    isempty isfinite ishorizontal isopen isparallel isperp isvertical json_agg json_agg_strict
    json_array_element json_array_element_text json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text
    json_extract_path json_extract_path_text json_object json_object_agg json_object_agg_strict
    json_object_agg_unique json_object_agg_unique_strict json_object_field
    json_object_field_text json_object_keys json_populate_record json_populate_recordset
    json_strip_nulls json_to_record json_to_recordset json_to_tsvector json_typeof jsonb_agg
    jsonb_agg_strict jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_contains jsonb_delete_path jsonb_each
    jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
    jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique
    jsonb_object_agg_unique_strict jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz
    jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
    jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz
    jsonb_path_query_tz jsonb_populate_record jsonb_populate_record_valid
    jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
    jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof justify_days
    justify_hours justify_interval lag last_value lastval lcm lead left length lgamma like line
    ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr8_set7bit make_date
    make_interval make_time make_timestamp make_timestamptz makeaclitem masklen max md5 min
    min_scale mod mode money multirange mxid_age name netmask network nextval normalize notlike
    now npoints nth_value ntile num_nonnulls num_nulls numeric numeric_inc nummultirange
    numnode obj_description octet_length oidvectortypes overlaps overlay parse_ident path
    pclose percent_rank percentile_cont percentile_disc pg_advisory_lock
    pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
    pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_available_extension_versions
    pg_available_extensions pg_backend_pid pg_basetype pg_blocking_pids pg_cancel_backend
    pg_char_to_encoding pg_client_encoding pg_collation_actual_version pg_collation_for
    pg_collation_is_visible pg_column_compression pg_column_is_updatable pg_column_size
    pg_column_toast_chunk_id pg_conf_load_time pg_config pg_control_checkpoint pg_control_init
    pg_control_recovery pg_control_system pg_conversion_is_visible pg_create_restore_point
    pg_current_logfile pg_current_snapshot pg_current_wal_flush_lsn pg_current_wal_insert_lsn
    pg_current_wal_lsn pg_current_xact_id pg_current_xact_id_if_assigned
    pg_database_collation_actual_version pg_database_size pg_describe_object
    pg_encoding_max_length pg_encoding_to_char pg_export_snapshot pg_extension_update_paths
    pg_filenode_relation pg_function_is_visible pg_get_acl pg_get_catalog_foreign_keys
    pg_get_constraintdef pg_get_expr pg_get_function_arg_default pg_get_function_arguments
    pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody
    pg_get_functiondef pg_get_indexdef pg_get_keywords pg_get_multixact_members
    pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef
    pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef pg_get_sequence_data
    pg_get_serial_sequence pg_get_shmem_allocations pg_get_statisticsobjdef
    pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef
    pg_get_userbyid pg_get_viewdef pg_get_wait_events pg_get_wal_replay_pause_state pg_has_role
    pg_hba_file_rules pg_ident_file_mappings pg_identify_object pg_identify_object_as_address
    pg_import_system_collations pg_index_column_has_property pg_index_has_property
    pg_indexam_has_property pg_indexes_size pg_input_error_info pg_input_is_valid
    pg_is_in_recovery pg_is_other_temp_schema pg_is_wal_replay_paused
    pg_isolation_test_session_is_blocked pg_jit_available pg_last_committed_xact
    pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
    pg_listening_channels pg_lock_status pg_log_backend_memory_contexts pg_log_standby_snapshot
    pg_logical_emit_message pg_my_temp_schema pg_nextoid pg_notification_queue_usage pg_notify
    pg_numa_available pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible
    pg_options_to_table pg_partition_ancestors pg_partition_root pg_partition_tree
    pg_postmaster_start_time pg_prepared_xact pg_promote pg_relation_filenode
    pg_relation_filepath pg_relation_is_publishable pg_relation_is_updatable pg_relation_size
    pg_reload_conf pg_replication_origin_oid pg_replication_origin_session_is_setup
    pg_rotate_logfile pg_safe_snapshot_blocking_pids pg_sequence_last_value
    pg_sequence_parameters pg_settings_get_flags pg_show_all_settings pg_size_bytes
    pg_size_pretty pg_sleep pg_sleep_for pg_sleep_until pg_snapshot_xip pg_snapshot_xmax
    pg_snapshot_xmin pg_split_walfile_name pg_stat_clear_snapshot pg_stat_force_next_flush
    pg_stat_get_analyze_count pg_stat_get_archiver pg_stat_get_autoanalyze_count
    pg_stat_get_autovacuum_count pg_stat_get_backend_activity_start
    pg_stat_get_backend_client_addr pg_stat_get_backend_client_port pg_stat_get_backend_dbid
    pg_stat_get_backend_idset pg_stat_get_backend_io pg_stat_get_backend_pid
    pg_stat_get_backend_start pg_stat_get_backend_subxact pg_stat_get_backend_userid
    pg_stat_get_backend_wait_event pg_stat_get_backend_wait_event_type pg_stat_get_backend_wal
    pg_stat_get_backend_xact_start pg_stat_get_bgwriter_buf_written_clean
    pg_stat_get_bgwriter_maxwritten_clean pg_stat_get_bgwriter_stat_reset_time
    pg_stat_get_blocks_fetched pg_stat_get_blocks_hit pg_stat_get_buf_alloc
    pg_stat_get_checkpointer_buffers_written pg_stat_get_checkpointer_num_performed
    pg_stat_get_checkpointer_num_requested pg_stat_get_checkpointer_num_timed
    pg_stat_get_checkpointer_restartpoints_performed
    pg_stat_get_checkpointer_restartpoints_requested
    pg_stat_get_checkpointer_restartpoints_timed pg_stat_get_checkpointer_slru_written
    pg_stat_get_checkpointer_stat_reset_time pg_stat_get_checkpointer_sync_time
    pg_stat_get_checkpointer_write_time pg_stat_get_db_active_time pg_stat_get_db_blk_read_time
    pg_stat_get_db_blk_write_time pg_stat_get_db_blocks_fetched pg_stat_get_db_blocks_hit
    pg_stat_get_db_checksum_failures pg_stat_get_db_checksum_last_failure
    pg_stat_get_db_conflict_all pg_stat_get_db_conflict_bufferpin pg_stat_get_db_conflict_lock
    pg_stat_get_db_conflict_logicalslot pg_stat_get_db_conflict_snapshot
    pg_stat_get_db_conflict_startup_deadlock pg_stat_get_db_conflict_tablespace
    pg_stat_get_db_deadlocks pg_stat_get_db_idle_in_transaction_time pg_stat_get_db_numbackends
    pg_stat_get_db_parallel_workers_launched pg_stat_get_db_parallel_workers_to_launch
    pg_stat_get_db_session_time pg_stat_get_db_sessions pg_stat_get_db_sessions_abandoned
    pg_stat_get_db_sessions_fatal pg_stat_get_db_sessions_killed pg_stat_get_db_stat_reset_time
    pg_stat_get_db_temp_bytes pg_stat_get_db_temp_files pg_stat_get_db_tuples_deleted
    pg_stat_get_db_tuples_fetched pg_stat_get_db_tuples_inserted pg_stat_get_db_tuples_returned
    pg_stat_get_db_tuples_updated pg_stat_get_db_xact_commit pg_stat_get_db_xact_rollback
    pg_stat_get_dead_tuples pg_stat_get_function_calls pg_stat_get_function_self_time
    pg_stat_get_function_total_time pg_stat_get_ins_since_vacuum pg_stat_get_io
    pg_stat_get_last_analyze_time pg_stat_get_last_autoanalyze_time
    pg_stat_get_last_autovacuum_time pg_stat_get_last_vacuum_time pg_stat_get_lastscan
    pg_stat_get_live_tuples pg_stat_get_mod_since_analyze pg_stat_get_numscans
    pg_stat_get_progress_info pg_stat_get_recovery_prefetch pg_stat_get_replication_slot
    pg_stat_get_slru pg_stat_get_snapshot_timestamp pg_stat_get_subscription
    pg_stat_get_subscription_stats pg_stat_get_total_analyze_time
    pg_stat_get_total_autoanalyze_time pg_stat_get_total_autovacuum_time
    pg_stat_get_total_vacuum_time pg_stat_get_tuples_deleted pg_stat_get_tuples_fetched
    pg_stat_get_tuples_hot_updated pg_stat_get_tuples_inserted
    pg_stat_get_tuples_newpage_updated pg_stat_get_tuples_returned pg_stat_get_tuples_updated
    pg_stat_get_vacuum_count pg_stat_get_wal pg_stat_get_wal_receiver pg_stat_get_wal_senders
    pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
    pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time
    pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched
    pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
    pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned
    pg_stat_get_xact_tuples_updated pg_stat_have_stats pg_stat_reset pg_stat_reset_shared
    pg_stat_reset_single_function_counters pg_stat_reset_single_table_counters
    pg_stat_reset_slru pg_statistics_obj_is_visible pg_switch_wal pg_table_is_visible
    pg_table_size pg_tablespace_databases pg_tablespace_location pg_tablespace_size
    pg_terminate_backend pg_timezone_abbrevs_abbrevs pg_timezone_abbrevs_zone pg_timezone_names
    pg_total_relation_size pg_trigger_depth pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_ts_config_is_visible
    pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible
    pg_typeof pg_visible_in_snapshot pg_wal_lsn_diff pg_wal_replay_pause pg_wal_replay_resume
    pg_walfile_name pg_walfile_name_offset pg_xact_commit_timestamp
    pg_xact_commit_timestamp_origin pg_xact_status phraseto_tsquery pi plainto_tsquery point
    polygon popen position postgresql_fdw_validator pow power pt_contained_circle
    pt_contained_poly querytree quote_ident quote_literal quote_nullable radians radius random
    random_normal range_agg range_intersect range_intersect_agg range_merge range_minus rank
    regclass regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right
    round row_number row_security_active row_to_json rpad rtrim satisfies_hash_partition scale
    schema_to_xmlschema session_user set_bit set_byte set_config set_masklen setseed setval
    setweight sha224 sha256 sha384 sha512 shobj_description sign similar_escape
    similar_to_escape sin sind sinh slope split_part sqrt starts_with statement_timestamp
    stddev stddev_pop stddev_samp string_agg string_to_array string_to_table strip strpos
    substr substring sum suppress_redundant_updates_trigger system system_user
    table_to_xmlschema tan tand tanh text textanycat textcat texteq texteqname textgename
    textgtname time time_hash time_hash_extended timeofday timestamp timestamp_hash
    timestamp_hash_extended timestamptz timestamptz_hash timestamptz_hash_extended timetz
    timetz_hash timetz_hash_extended timetzdate_pl timezone to_ascii to_char to_date to_hex
    to_json to_jsonb to_number to_oct to_regclass to_regcollation to_regnamespace to_regoper
    to_regoperator to_regproc to_regprocedure to_regrole to_regtype to_regtypemod to_timestamp
    to_tsquery to_tsvector transaction_timestamp translate trim_array trim_scale trunc ts_debug
    ts_delete ts_filter ts_headline ts_lexize ts_parse ts_rank ts_rank_cd ts_token_type
    tsq_mcontained tsq_mcontains tsquery_phrase tsrange tstzmultirange tstzrange
    tsvector_to_array tsvector_update_trigger tsvector_update_trigger_column txid_current
    txid_current_if_assigned txid_current_snapshot txid_snapshot_xip txid_snapshot_xmax
    txid_status txid_visible_in_snapshot unicode_assigned unicode_version unistr unnest upper
    upper_inc upper_inf utf8_to_johab utf8_to_uhc uuidv4 uuidv7 var_pop var_samp varbit varchar
    variance version websearch_to_tsquery width width_bucket xml xml_is_well_formed
    xml_is_well_formed_content xml_is_well_formed_document xmlagg xmlcomment xmlconcat2
    xmlexists xmltext xmlvalidate xpath xpath_exists
    """
)

# What the grammar makes of words of its own, an earlier version's, and those of its kin.
_POSTGRES_WORDS: frozenset[str] = _words(
    """
    current_catalog current_date json_array json_arrayagg json_exists json_objectagg json_query
    json_scalar json_serialize json_table json_value lengthb merge_action months_between
    pg_timezone_abbrevs substrb user xmlconcat xmlelement xmlforest xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """
)

# Those of the extensions hstore, ltree, pgcrypto, pg_trgm, fuzzystrmatch, unaccent, uuid-ossp,
# pg_prewarm and pg_stat_statements.
_POSTGRES_EXTENSIONS: frozenset[str] = _words(
    """
    akeys armor avals crypt difference digest dmetaphone each gen_salt hmac hstore
    hstore_to_json hstore_to_jsonb levenshtein lquery ltree2text metaphone pg_prewarm
    pg_stat_statements_reset show_trgm similarity skeys slice soundex svals unaccent
    uuid_generate_v1 uuid_generate_v4 word_similarity
    """
)

# MariaDB's, as its information_schema.sql_functions lists them; nearly all are MySQL's too.
MARIADB: frozenset[str] = _words(
    """
    acos add_months adddate addtime aes_decrypt aes_encrypt asin atan atan2 benchmark bin
    binlog_gtid_pos bit_and bit_count bit_length bit_or bit_xor coalesce coercibility collation
    column_check column_exists column_json column_list compress connection_id conv convert_tz
    cos cot crc32 crc32c curdate curtime database date_add date_format date_sub datediff
    dayname dayofmonth dayofweek dayofyear decode decode_histogram degrees des_decrypt
    des_encrypt elt encode encrypt export_set extractvalue field find_in_set format found_rows
    from_base64 from_days from_unixtime get_lock group_concat hex ifnull inet6_aton inet6_ntoa
    inet_aton inet_ntoa is_free_lock is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_used_lock
    isnull json_array json_array_append json_array_insert json_arrayagg json_compact
    json_contains json_contains_path json_depth json_detailed json_equals json_exists
    json_extract json_insert json_keys json_length json_loose json_merge json_merge_patch
    json_merge_preserve json_normalize json_object json_objectagg json_overlaps json_pretty
    json_query json_quote json_remove json_replace json_search json_set json_type json_unquote
    json_valid json_value last_day last_insert_id lcase lengthb locate log10 log2 make_set
    makedate maketime master_gtid_wait master_pos_wait md5 median microsecond mid monthname
    name_const natural_sort_key now nvl nvl2 oct octet_length old_password ord password
    percentile_cont percentile_disc period_add period_diff pi pow quarter quote radians rand
    random_bytes regexp_instr regexp_replace regexp_substr release_all_locks release_lock
    row_count schema sec_to_time session_user sformat sha sha1 sha2 sin sleep soundex space std
    str_to_date strcmp subdate substring_index subtime sys_guid system_user tan time_format
    time_to_sec timediff to_base64 to_char to_days to_seconds ucase uncompress
    uncompressed_length unhex unix_timestamp updatexml uuid uuid_short version week weekday
    weekofyear yearweek
    """
)

# What the grammar of both makes of words of its own, and what MySQL 8 has besides.
_MYSQL: frozenset[str] = _words(
    """
    any_value bin_to_uuid binary charset column_add column_create column_delete
    column_get convert current_role current_user date default
    format_bytes format_pico_time get_format grouping icu_version if insert interval is_uuid
    json_schema_valid json_storage_size json_table regexp_like sysdate time timestamp
    timestampadd timestampdiff truncate user utc_date utc_time utc_timestamp uuid_to_bin
    validate_password_strength value values weight_string
    """
)

# SQL Server.
_TSQL: frozenset[str] = _words(
    """
    acos app_name applock_mode applock_test approx_percentile_cont approx_percentile_disc
    asin assemblyproperty atan atn2 avg binary_checksum bit_count charindex checksum checksum_agg choose col_length col_name
    collationproperty columnproperty compress connectionproperty contains
    containstable context_info convert cos cot count_big
    current_request_id current_timezone current_transaction_id cube cursor_status database_principal_id databasepropertyex datalength date_bucket
    dateadd datediff datediff_big datefromparts datename
    datepart datetime2fromparts datetimefromparts datetimeoffsetfromparts datetrunc
    day db_id db_name decompress degrees difference eomonth error_line error_message
    error_number error_procedure error_severity error_state file_id file_name
    filegroup_name fileproperty format formatmessage freetext freetexttable fulltextcatalogproperty
    fulltextserviceproperty generate_series get_bit getansinull getdate getutcdate grouping grouping_id hashbytes host_id host_name
    has_dbaccess has_perms_by_name ident_current ident_incr
    ident_seed iif index_col indexkey_property
    indexproperty is_member is_rolemember is_srvrolemember isdate isjson isnull isnumeric
    json_array json_arrayagg json_contains json_modify json_object json_objectagg json_path_exists json_query
    json_value left_shift len min_active_rowversion nchar newid
    newsequentialid object_id object_schema_name objectpropertyex
    object_name objectproperty openjson original_db_name
    original_login parse parsename patindex permissions pi program_name
    publishingservername quotename radians rand regexp_count regexp_instr regexp_like
    regexp_replace regexp_substr right_shift replicate rollup rowcount_big schema_id schema_name scope_identity
    serverproperty session_context session_user sessionproperty set_bit sin
    smalldatetimefromparts soundex space sql_variant_property square stats_date stdev
    stdevp str string_agg string_escape string_split stuff suser_id suser_name suser_sname
    switchoffset sysdatetime sysdatetimeoffset system_user sysutcdatetime tan textptr textvalid
    timefromparts todatetimeoffset trigger_nestlevel try_cast try_convert try_parse type_id type_name typeproperty unicode
    user_id user_name var varp xact_state
    """
)

# Oracle (21c), and what its packages offer that reads no table of the hospital's.
_ORACLE: frozenset[str] = _words(
    """
    acos add_months appendchildxml approx_count_distinct asciistr asin atan atan2 bfilename
    bin_to_num bitand bitor bitxor cardinality chartorowid cluster_id cluster_probability
    column_value compose con_id_to_con_name con_name_to_id connect_by_root convert corr_k corr_s
    cos cosh cursor dbtimezone decode decompose deletexml depth deref dump empty_blob empty_clob
    existsnode extractvalue feature_id feature_value from_tz getclobval getstringval
    greatest group_id grouping grouping_id hextoraw insertchildxml insertxmlbefore instr2
    instr4 instrb instrc iteration_number json_array json_arrayagg json_exists json_mergepatch
    json_object json_objectagg json_query json_scalar json_serialize json_table json_transform
    json_value last_day length2 length4 lengthb lengthc lnnvl localtimestamp make_ref
    median months_between nanvl new_time next_day nls_charset_decl_len nls_charset_id
    nls_charset_name nls_collation_id nls_collation_name nls_initcap nls_lower nls_upper
    nlssort numtodsinterval numtoyminterval nvl nvl2 ora_hash ora_invoking_user
    ora_rowscn path powermultiset presentnnv presentv previous ratio_to_report rawtohex
    rawtonhex ref refcursor reftohex regexp_count regexp_instr regexp_like regexp_replace
    regexp_substr remainder rowidtochar rowidtonchar scn_to_timestamp sessiontimezone set sinh
    soundex standard_hash substr2 substr4 substrb substrc sys_connect_by_path sys_context
    sys_extract_utc sys_guid sys_op_c2c sys_op_descend sys_op_map_nonnull sys_op_undescend
    sys_typeid sysdate systimestamp table tanh the timestamp_to_scn to_binary_double
    to_binary_float to_blob to_char to_clob to_date to_dsinterval to_lob to_multi_byte
    to_nchar to_nclob to_number to_single_byte to_timestamp to_timestamp_tz to_yminterval
    treat trunc tz_offset uid unistr updatexml user userenv validate_conversion value vsize
    width_bucket wm_concat xmlagg xmlcast xmlcdata xmlcolattval xmlcomment xmlconcat xmldiff
    xmlelement xmlexists xmlforest xmlparse xmlpatch xmlpi xmlquery xmlroot xmlsequence
    xmlserialize xmltable xmltransform xmltype
    odcidatelist odcinumberlist odciobjectlist odcirawlist odcivarchar2list
    dbms_crypto.hash dbms_crypto.mac dbms_lob.compare dbms_lob.getlength dbms_lob.instr
    dbms_lob.substr dbms_metadata.get_ddl dbms_metadata.get_dependent_ddl
    dbms_metadata.get_granted_ddl dbms_obfuscation_toolkit.md5 dbms_random.random
    dbms_random.string dbms_random.value dbms_rowid.rowid_block_number
    dbms_rowid.rowid_object dbms_rowid.rowid_row_number dbms_session.unique_session_id
    dbms_utility.get_hash_value dbms_utility.get_time dbms_xplan.display
    utl_encode.base64_decode utl_encode.base64_encode utl_i18n.raw_to_char
    utl_i18n.string_to_raw utl_match.edit_distance utl_match.edit_distance_similarity
    utl_match.jaro_winkler utl_match.jaro_winkler_similarity utl_raw.bit_xor
    utl_raw.cast_from_number utl_raw.cast_to_number utl_raw.cast_to_raw
    utl_raw.cast_to_varchar2 utl_raw.concat utl_raw.length utl_raw.reverse utl_raw.substr
    utl_url.escape utl_url.unescape utl_file.fopen utl_file.fopen_nchar utl_file.is_open
    dbms_lock.request dbms_lock.release dbms_session.is_role_enabled dbms_utility.get_cpu_time
    dbms_utility.format_error_backtrace dbms_utility.format_error_stack
    dbms_utility.format_call_stack dbms_utility.db_version dbms_utility.port_string
    """
)

# SQLite.
_SQLITE: frozenset[str] = _words(
    """
    pragma_table_info pragma_table_xinfo pragma_table_list pragma_index_list pragma_index_info
    pragma_index_xinfo pragma_foreign_key_list pragma_foreign_key_check pragma_database_list
    pragma_collation_list pragma_compile_options pragma_function_list pragma_module_list
    pragma_pragma_list pragma_page_count pragma_page_size pragma_freelist_count
    pragma_user_version pragma_schema_version pragma_application_id pragma_encoding
    pragma_journal_mode pragma_integrity_check pragma_quick_check pragma_foreign_keys
    acos acosh asin asinh atan atan2 atanh changes char concat_ws cos cosh date datetime degrees
    format generate_series glob group_concat hex ifnull iif instr json json_array
    json_array_length json_each json_extract json_group_array json_group_object json_insert
    json_object json_patch json_remove json_replace json_set json_tree json_type json_valid
    json_array_insert json_error_position json_pretty json_quote jsonb jsonb_array jsonb_each
    jsonb_extract jsonb_group_array jsonb_group_object jsonb_object jsonb_tree julianday last_insert_rowid like likelihood likely nullif printf quote random randomblob
    octet_length pi radians sinh soundex sqlite_compileoption_used sqlite_source_id sqlite_version
    strftime string_agg tan tanh time timediff total total_changes typeof unhex unicode
    unistr unixepoch unlikely zeroblob
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

# Aggregates that count rows or values, and hand none on.
COUNTS: frozenset[str] = _words("approx_count count_big regr_count")

# Aggregates that hand one of the values on, as MIN and MAX do.
PASSING: frozenset[str] = _words("any_value arbitrary max_by min_by stats_mode")

# Methods of XML, JSON and collection values: they show what the value is made of.
METHODS: frozenset[str] = _words(
    """
    count data delete exist existsnode extract first getblobval getclobval getnumberval
    getrootelement getschemaurl getstringval isfragment last modify nodes query serialize
    stringify to_clob to_json to_string tostring transform value
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

# Oracle's types of lists of plain values.
COLLECTIONS: frozenset[str] = _words(
    "dbms_debug_vc2coll ku$_vcnt odcidatelist odcinumberlist odcirawlist odcivarchar2list"
)

# SQL Server's procedures that tell about objects, sessions and settings, not about rows.
PROCEDURES_ABOUT_OBJECTS: frozenset[str] = _words(
    """
    sp_cursor sp_cursorclose sp_cursorfetch sp_cursoroption sp_unprepare sp_cursorunprepare
    sp_autostats sp_catalogs sp_column_privileges sp_columns sp_columns_ex sp_databases
    sp_datatype_info sp_dboption sp_depends sp_describe_first_result_set
    sp_describe_undeclared_parameters sp_fkeys sp_getapplock sp_help sp_helpconstraint sp_helpdb
    sp_helpfile sp_helpfilegroup sp_helpindex sp_helplanguage sp_helprole sp_helpsort
    sp_helpstats sp_helptext sp_helptrigger sp_helpuser sp_linkedservers sp_lock
    sp_monitor sp_pkeys sp_recompile sp_refreshview sp_releaseapplock sp_reset_connection
    sp_server_info sp_set_session_context sp_spaceused sp_special_columns
    sp_sproc_columns sp_statistics sp_stored_procedures sp_table_privileges sp_tables
    sp_tables_ex sp_updatestats sp_who sp_who2
    """
)
HARMLESS_DBCC: frozenset[str] = _words(
    """
    checkalloc checkcatalog checkconstraints checkdb checkfilegroup checkident checktable
    cleantable dbreindex dropcleanbuffers freeproccache freesessioncache freesystemcache help
    indexdefrag opentran proccache shrinkdatabase shrinkfile showcontig sqlperf tracestatus
    updateusage useroptions
    """
)

# Functions that run a text given to them as SQL.
REMOTE: frozenset[str] = _words(
    """
    connectby crosstab crosstab2 crosstab3 crosstab4 crosstabn dblink dblink_exec
    dblink_open dblink_send_query dbms_xmlgen.getxml getxml opendatasource openquery
    openrowset query_to_xml query_to_xml_and_xmlschema query_to_xmlschema sys_eval ts_rewrite
    ts_stat
    getxmltype dbms_xmlgen.getxmltype newcontext newcontextfromhierarchy
    xpath_table cursor_to_xml database_to_xml database_to_xml_and_xmlschema schema_to_xml
    schema_to_xml_and_xmlschema table_to_xml table_to_xml_and_xmlschema
    """
)

# Those of them whose last argument alone is the text; the others tell where it is run.
LINKED: frozenset[str] = _words("openquery openrowset")

# Those that hand out the rows of the table they are given the name of.
WHOLE_TABLES: frozenset[str] = _words("table_to_xml table_to_xml_and_xmlschema")

# Functions (pg_cron's) that have a text run later, and the place of the argument it stands in.
SCHEDULERS: dict[str, int] = {
    "cron.schedule": -1,
    "cron.schedule_in_database": 2,
    "cron.alter_job": 2,
}

# Tables in which pg_cron, pgAgent and SQL Server's agent keep jobs, and the column of what is run.
JOB_TABLES: dict[str, str] = {
    "cron.job": "command",
    "pgagent.pga_jobstep": "jstcode",
    "dbo.sysjobsteps": "command",
}

FUNCTIONS: dict[str, frozenset[str]] = {
    # openGauss and Kingbase bring Oracle's along.
    "postgres": (
        _COMMON | POSTGRES | _POSTGRES_WORDS | _POSTGRES_EXTENSIONS | _ORACLE | {"cron.unschedule"}
    ),
    "mysql": _COMMON | MARIADB | _MYSQL,
    "tsql": _COMMON | _TSQL,
    "oracle": _COMMON | _ORACLE,
    "sqlite": _COMMON | _SQLITE,
}

# Schemas in which functions of these names are the database's own.
OWN_FUNCTIONS = ("pg_catalog", "sys", "public", "wmsys", "xdb", "standard")

_SYSTEM_SCHEMAS = frozenset(
    {"pg_catalog", "information_schema", "pg_toast", "sys", "performance_schema", "sysibm"}
)
_SYSTEM_PREFIXES: dict[str, tuple[str, ...]] = {
    "postgres": ("pg_", "v$", "gv$"),
    "oracle": ("v$", "gv$", "v_$", "gv_$", "nls_database_", "nls_session_", "nls_instance_"),
    "sqlite": ("sqlite_",),
    "tsql": (),
    "mysql": (),
}
# SQL Server's old catalogue, in whatever database and under `dbo`.
_SYSTEM_NAMES: dict[str, frozenset[str]] = {
    "tsql": _words(
        """
        sysaltfiles syscacheobjects syscharsets syscolumns syscomments sysconfigures
        sysconstraints syscurconfigs sysdatabases sysdepends sysdevices sysfilegroups sysfiles
        sysforeignkeys sysfulltextcatalogs sysindexes sysindexkeys sysjobhistory sysjobs
        sysjobschedules sysjobservers sysjobsteps syslanguages syslockinfo syslogins sysmembers
        sysmessages sysobjects sysoledbusers sysperfinfo syspermissions sysprocesses
        sysprotects sysreferences sysremotelogins sysservers systypes sysusers
        """
    ),
    "oracle": _words(
        """
        cat col database_properties dict dict_columns dictionary global_name ind obj
        plan_table product_component_version recyclebin resource_cost role_role_privs
        role_sys_privs role_tab_privs seq session_privs session_roles tab table_privileges
        """
    ),
}
# What follows `user_`, `all_` or `dba_` in the names of Oracle's dictionary. A table of the
# hospital's may be called `user_…` too.
_DICTIONARY: frozenset[str] = _words(
    """
    addm all_tables arguments audit_trail base_table_mviews cat catalog clusters
    coll_types col_comments col_privs col_privs_made col_privs_recd cons_columns constraints
    data_files db_links dependencies directories dump editions encrypted_columns
    errors external_tables extents free_space
    identifiers ind_columns ind_expressions ind_partitions ind_statistics ind_subpartitions
    indexes java_classes jobs jobs_running json_columns lob_partitions lobs log_groups
    method_params mview_analysis mview_comments mview_detail_relations mview_keys mview_logs
    mview_refresh_times mviews nested_tables object_size object_tables objects
    part_col_statistics part_histograms part_indexes part_key_columns part_lobs part_tables
    password_limits plsql_object_settings policies private_synonyms procedures profiles
    queues recyclebin refresh refs registered_mviews registry resource_limits role_privs roles
    rollback_segs rsrc_consumer_group_privs scheduler_job_log scheduler_job_run_details
    scheduler_jobs scheduler_programs scheduler_running_jobs scheduler_schedules segments
    sequences snapshots source sql_translations stat_extensions stored_settings
    subpart_col_statistics subpart_histograms synonyms sys_privs tab_col_statistics tab_cols
    tab_columns tab_comments tab_histograms tab_identity_cols tab_modifications
    tab_partitions tab_privs tab_privs_made tab_privs_recd tab_statistics tab_stats_history
    tab_subpartitions tables tablespace_usage_metrics tablespaces temp_files trigger_cols triggers
    ts_quotas type_attrs type_methods types unused_col_tabs updatable_columns users ustats
    varrays views waiters blockers lock locks hist_sqltext hist_sqlstat hist_active_sess_history
    hist_snapshot sqlset_statements advisor_findings advisor_log common_audit_trail
    fga_audit_trail unified_audit_trail
    """
)
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
    "processlist": frozenset({"info", "current_statement"}),
    "session": frozenset({"current_statement"}),
    "threads": frozenset({"processlist_info"}),
    "events_statements_current": frozenset({"sql_text"}),
    "events_statements_history": frozenset({"sql_text"}),
    "events_statements_history_long": frozenset({"sql_text"}),
    "events_statements_summary_by_digest": frozenset({"query_sample_text"}),
    "prepared_statements_instances": frozenset({"sql_text"}),
    "query_store_query_text": frozenset(),
    "syscacheobjects": frozenset({"sql"}),
    "sysjobsteps": frozenset({"command"}),
    "dm_exec_input_buffer": frozenset(),
    "dm_exec_text_query_plan": frozenset(),
    "dm_xe_session_targets": frozenset(),
    "fn_trace_gettable": frozenset(),
    "fn_xe_file_target_read_file": frozenset(),
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
# The least and the greatest value of a column.
_BOUNDS = frozenset({"low_value", "high_value"})
_HISTOGRAM_PARTS = ("histogram", "tab_col_statistics")
_TELLING_PARTS = (
    "sql",
    "fga_log",
    "aud$",
    "histogram",
    "tab_histograms",
    "logmnr",
    "audit",
    "tab_col_statistics",
)


def is_system(name: str, dialect: str) -> bool:
    """Whether a table name (lower case, dotted) is one of the database's own."""
    parts = name.split(".")
    if len(parts) > 1 and parts[-2] in _SYSTEM_SCHEMAS:
        return True
    if len(parts) > 1 and parts[-2] == "mysql" and dialect == "mysql":
        return True
    last = parts[-1]
    if last in _SYSTEM_NAMES.get(dialect, ()) and (len(parts) == 1 or dialect == "tsql"):
        return True
    if len(parts) > 1:
        return False
    if dialect in {"oracle", "postgres"}:
        owner, _mark, rest = last.partition("_")
        if owner in {"user", "all", "dba"} and rest in _DICTIONARY:
            return True
    return last.startswith(_SYSTEM_PREFIXES.get(dialect, ()) or ("\0",))


def gives_away(name: str, columns: frozenset[str], star: bool, dialect: str) -> bool:
    """Whether a system catalogue read so hands out values of tables or texts of statements."""
    last = name.rsplit(".", maxsplit=1)[-1]
    if last in _TELLING:
        telling = _TELLING[last]
        return star or not telling or bool(telling & columns)
    if dialect == "oracle" and last.endswith(("tab_columns", "tab_cols")):
        return bool(_BOUNDS & columns)
    if dialect == "oracle":
        return any(part in last for part in _TELLING_PARTS)
    return False


def is_histogram(name: str) -> bool:
    """Whether what a system catalogue gives away is how often which value occurs."""
    last = name.rsplit(".", maxsplit=1)[-1]
    return last in _HISTOGRAMS or any(part in last for part in _HISTOGRAM_PARTS)
