"""What the library promises, line by line, and the tests that fail when a line does not hold."""

from __future__ import annotations

import importlib

import pytest

# A promise, and below it the tests that hold the library to it, as paths in tests/.
PROMISES = """
# Names
every public name is exported, loads on first use and keeps its signature
    test_contracts.py::test_a_signature_is_as_it_was
    test_contracts.py::test_every_public_name_is_written_down
    test_house.py::test_every_public_name_loads
    test_house.py::test_importing_the_package_loads_none_of_it
type checkers see the same names
    test_house.py::test_type_checkers_see_the_same_names
TokenData can be imported from the config too
    test_config.py::test_token_data_can_be_imported_from_here_too
each module logs under its own name
    test_library_facts.py::test_each_module_logs_under_its_own_name

# Models
a method equals its name and is text
    test_models.py::TestHttpMethod::test_is_text_equal_to_its_name
a request is frozen
    test_models.py::TestHttpRequest::test_cannot_be_changed
with_headers makes a new request in which the argument wins, name by name in its exact case
    test_models.py::TestHttpRequest::test_with_headers_makes_a_new_one_in_which_the_argument_wins
    test_models.py::TestHttpRequest::test_with_headers_keeps_the_case_of_names
to_dict has every field, and the method as the member it is
    test_models.py::TestHttpRequest::test_to_dict_has_every_field_as_plain_values
requests are equal by value and can be hashed
    test_models.py::TestHttpRequest::test_is_equal_by_value
    test_models.py::TestHttpRequest::test_equal_ones_have_equal_hashes_whatever_is_in_them
    test_models.py::TestHttpRequest::test_what_cannot_be_hashed_does_not_keep_it_from_being
a response knows the kind of its status
    test_models.py::TestHttpResponse::test_knows_what_kind_of_status_it_has
text is decoded by the charset, else as UTF-8, and never fails
    test_models.py::TestHttpResponse::test_its_text_is_decoded
    test_models.py::TestHttpResponse::test_any_bytes_are_some_text
json that is none is a ResponseParseException with the start of the text
    test_models.py::TestHttpResponse::test_what_is_not_json_is_an_error_with_its_start
json_or_none never raises
    test_client_compat.py::test_json_or_none_never_raises
a request context counts attempts and its request can be replaced
    test_models.py::TestContexts::test_a_request_context_counts_attempts
a fetch context keeps tokens by name and knows which are valid
    test_models.py::TestContexts::test_a_fetch_context_keeps_tokens_by_name

# Config
is_expired is true 30 seconds early; without an end it is false
    test_models.py::TestTokenData::test_is_expired_thirty_seconds_early
a naive end is local time, comes back as it was given, and can be compared
    test_models.py::TestMoments::test_a_naive_moment_is_local_time
    tokens/storage/test_record.py::test_a_naive_end_comes_back_as_it_was
    tokens/test_manager.py::test_aware_and_naive_ends_are_the_same_to_it
an end that a fetcher made can be compared with the local clock
    tokens/test_fetch_pipeline.py::test_a_ttl_is_in_the_returned_token_and_in_the_stored_one
    test_models.py::TestTokenFromResponse::test_reads_an_answer
a token knows its Authorization header
    test_models.py::TestTokenData::test_knows_its_header
from_response reads the usual fields or other ones, and keeps the rest in extra
    test_models.py::TestTokenFromResponse::test_reads_an_answer
    test_models.py::TestTokenFromResponse::test_takes_other_names
an answer without a token is an error that names the field
    test_models.py::TestTokenFromResponse::test_without_a_token_it_is_an_error_that_names_the_field
the defaults of a config
    test_config.py::test_the_defaults_are_those_of_the_contract
what callers match: default_timeout must be positive, max_redirects must be non-negative
    test_config.py::test_a_timeout_that_is_not_positive_is_refused
    test_config.py::test_a_negative_number_of_redirects_is_refused
a builder returns itself, can be used again and validates when it builds
    test_config.py::test_every_method_of_the_builder_returns_it
    test_config.py::test_a_builder_can_be_used_again
the builder's base URL loses its trailing slashes
    test_config.py::test_the_base_url_loses_its_trailing_slashes
headers, tokens and keys of the builder are default headers
    test_config.py::test_headers_are_merged
    test_config.py::test_fixed_credentials_are_default_headers
a strategy is kept, with_retry makes an exponential one with jitter
    test_config.py::test_the_retry_strategy_is_kept_or_made
hooks keep their order, and of auth hooks the last is used
    test_config.py::test_hooks_keep_their_order
    test_config.py::test_the_last_auth_hook_is_used
    test_config.py::test_auth_hooks_are_made
with_logging adds one hook of each kind
    test_config.py::test_logging_adds_one_hook_of_each_kind

# Client
one adapter for each client, one session for each thread
    test_client.py::TestSessions::test_each_thread_has_its_own_and_all_share_one_adapter
traffic passes through HTTPAdapter.send of a session: programs test themselves with `responses`
    test_client.py::TestResponsesLibrary::test_an_answer_is_found
    test_client.py::TestResponsesLibrary::test_retries_and_posts_are_seen
    test_client.py::TestResponsesLibrary::test_failures_are_translated
JSON is the second argument of what has a body; other keywords are fields of a request
    test_client.py::TestRequests::test_json_is_the_second_argument_of_what_has_a_body
    test_client.py::TestRequests::test_get_takes_the_fields_of_a_request_and_nothing_else
closing twice is fine, a closed client says so directly, leaving a block closes, forgetting too
    test_client.py::TestLifecycle::test_a_closed_client_sends_nothing
    test_client.py::TestLifecycle::test_it_is_closed_on_leaving_also_by_an_error
    test_client.py::TestLifecycle::test_one_that_is_forgotten_closes_its_connections
create_client retries and logs, http_client closes
    test_client.py::TestShortcuts::test_create_client_retries_and_logs
    test_client.py::TestShortcuts::test_http_client_closes_also_by_an_error
absolute URLs pass through, others are joined to the base
    test_client.py::TestRequests::test_an_absolute_url_passes_through
    test_encode.py::TestUrl::test_a_relative_one_is_joined_to_the_base
the request's headers are above the defaults, its timeout too
    test_client.py::TestRequests::test_defaults_are_below_the_requests_own
    test_client.py::TestErrors::test_a_requests_own_timeout_beats_the_default
the answer has the final URL and the request after hooks
    test_client.py::TestResponses::test_the_answer_names_its_url_request_and_charset
    test_library_facts.py::test_the_request_of_an_answer_is_the_one_after_hooks_and_its_url_the_last
failures of the network are translated, with the request in their context
    test_client.py::TestErrors::test_a_failure_is_a_max_retry_exception_with_all_the_facts
    test_client.py::TestErrors::test_a_timeout_is_one
    test_client.py::TestResponsesLibrary::test_failures_are_translated
an exception of the family that a session raises is kept
    test_client.py::TestSessions::test_a_failure_that_a_session_raises_itself_is_kept
hooks run in order, from the original request on each attempt; auth is last and overrides
    test_client.py::TestRequestHooks::test_they_run_in_order_on_what_the_one_before_returned
    test_client.py::TestRequestHooks::test_each_attempt_starts_again_from_the_original_request
    test_client_auth.py::TestOrder::test_it_runs_last_and_overrides_defaults_and_hooks
a failing auth hook is an AuthenticationException
    test_client_auth.py::TestFailures::test_one_of_the_hook_is_an_authentication_failure
response hooks see each answer that is retried, but not the 401 that is recovered from
    test_client.py::TestResponseHooks::test_they_see_each_answer_that_is_retried
    test_client_auth.py::TestRecovery::test_hooks_run_again_but_response_hooks_do_not_see_the_refusal
the last answer is returned when no attempt is left, and error hooks are not called
    test_client_retry.py::TestAttempts::test_the_last_answer_is_returned_when_no_attempt_is_left
    test_client.py::TestErrors::test_error_hooks_do_not_see_an_answer
4xx and 5xx never raise by themselves
    test_client.py::TestResponses::test_an_error_status_is_an_answer
error hooks see each failed attempt and cannot hide it
    test_client.py::TestErrors::test_error_hooks_see_each_failure_and_cannot_hide_it
the end of all attempts is a MaxRetryException that counts them
    test_client_retry.py::TestAttempts::test_a_failure_of_the_connection_is_retried_and_then_raised
    test_client.py::TestErrors::test_a_failure_is_a_max_retry_exception_with_all_the_facts
other exceptions escape as they are
    test_client.py::TestErrors::test_what_is_no_failure_of_a_request_passes_through
the delay is read before the attempt is counted, and nothing sleeps after the last
    test_client_retry.py::TestAttempts::test_the_strategy_sees_the_attempt_before_it_is_counted
    test_client_retry.py::TestAttempts::test_a_failure_of_the_connection_is_retried_and_then_raised
time.sleep is what sleeps
    test_client_compat.py::test_sleeping_can_be_replaced_where_it_is
a 401 leads to one renewal by default, outside the budget of attempts
    test_client_auth.py::TestRecovery::test_it_happens_once
    test_client_auth.py::TestRecovery::test_it_does_not_use_up_attempts
the auth strategy says how often and after how long; a failed renewal leaves the 401
    test_client_auth.py::TestRecovery::test_the_strategy_says_how_often_and_after_how_long
    test_client_auth.py::TestRecovery::test_a_renewal_that_fails_leaves_the_401
request_many is lazy, in the order of completion, and calls request
    test_many.py::test_nothing_is_sent_or_read_before_it_is_asked_for
    test_many.py::test_answers_come_in_the_order_of_completion
    test_library_facts.py::test_request_many_calls_a_request_that_was_replaced
failures of request_many are values, unexpected ones wrapped
    test_many.py::test_errors_are_values_and_lose_nothing
    test_many.py::test_what_nobody_expected_is_wrapped

# Retry strategies
none never repeats
    test_retry.py::TestNoRetry::test_never_repeats
simple repeats any failure, or what is listed, after a fixed delay
    test_retry.py::TestSimple::test_repeats_any_failure_up_to_its_limit_after_a_fixed_delay
    test_retry.py::TestSimple::test_only_what_is_listed_counts_and_an_empty_list_is_nothing
exponential: 1, 2, 4 and never above the cap; jitter spreads
    test_retry.py::TestExponential::test_without_jitter_the_delays_double_up_to_the_cap
    test_retry.py::TestExponential::test_jitter_spreads_by_a_quarter
    test_retry.py::TestExponential::test_no_delay_is_negative_or_above_the_cap
exponential repeats what may pass, and the six usual statuses
    test_retry.py::TestExponential::test_repeats_what_may_pass
    test_retry.py::TestExponential::test_its_statuses_can_be_replaced_and_an_empty_set_is_none
a list of exceptions replaces the usual ones
    test_retry.py::TestExponential::test_a_list_of_failures_replaces_the_usual_ones
the breaker strategy: closed, open after failures, half-open after the recovery, reset
    test_retry.py::TestCircuitBreaker::test_it_starts_closed_and_repeats_anything_after_delays_that_grow
    test_retry.py::TestCircuitBreaker::test_calls_that_no_attempt_is_left_for_open_it
    test_retry.py::TestCircuitBreaker::test_after_the_recovery_it_is_half_open_and_then_closed_or_open
    test_retry.py::TestCircuitBreaker::test_reset_closes_it
auth strategies: none, simple, exponential, conditional
    test_retry.py::TestAuthStrategies::test_none_never_repeats_and_still_knows_a_refusal
    test_retry.py::TestAuthStrategies::test_simple_repeats_a_refusal_up_to_its_limit
    test_retry.py::TestAuth::test_exponential_delays_grow_to_their_cap
    test_retry.py::TestAuth::test_conditions_are_functions_of_the_answer
    test_retry.py::TestAuth::test_what_a_condition_returns_is_passed_on

# Hooks
hooks need no base class
    test_client.py::TestRequestHooks::test_any_object_with_the_member_will_do
    test_client_auth.py::TestDuckTyping::test_any_object_with_the_members_will_do
logging of requests marks the context, names an id and shows no secret
    test_hooks.py::TestLoggingRequestHook::test_returns_the_same_request_and_marks_the_context
    test_hooks.py::TestLoggingRequestHook::test_keeps_an_id_that_is_there_and_says_that_it_is_a_retry
    test_hooks.py::TestLoggingRequestHook::test_headers_and_json_are_shown_at_debug_without_secrets
    test_hooks.py::TestLoggingRequestHook::test_its_own_names_replace_the_usual_ones
logging of responses and errors shows no secret
    test_hooks.py::TestLoggingResponseHook::test_shows_headers_and_failed_bodies_without_secrets
    test_hooks.py::TestLoggingErrorHook::test_says_which_attempt_failed_and_why
an authorization hook adds the token of the moment, or nothing
    test_hooks.py::TestAuthorizationHook::test_adds_the_token_of_the_moment
    test_hooks.py::TestAuthorizationHook::test_without_a_token_the_request_stays_as_it_is
a correlation id stays over the retries of one request
    test_hooks.py::TestCorrelationIdHook::test_the_id_stays_over_retries_and_differs_between_requests
rate limits are whole numbers in the context
    test_hooks.py::TestRateLimitResponseHook::test_keeps_whole_numbers
token auth: prefix, bare token, excluded paths and patterns
    test_auth.py::TestTokenAuthHook::test_adds_the_managers_token
    test_auth.py::TestTokenAuthHook::test_leaves_excluded_paths_alone
    test_auth.py::TestTokenAuthHook::test_asks_its_manager
API key and Basic: added, and never renewed
    test_auth.py::TestApiKeyAuthHook::test_adds_its_key
    test_auth.py::TestApiKeyAuthHook::test_cannot_be_renewed
    test_auth.py::TestBasicAuthHook::test_adds_user_and_password_in_utf_8
    test_auth.py::TestBasicAuthHook::test_cannot_be_renewed
composite: the first that authenticates, or all
    test_auth.py::TestCompositeAuthHook::test_the_first_that_authenticates_a_request_does
    test_auth.py::TestCompositeAuthHook::test_or_all_that_do
    test_auth.py::TestCompositeAuthHook::test_it_can_be_empty

# Token manager, storages, providers
a good token is used without asking, one that has ended is refreshed or fetched
    tokens/test_manager.py::test_a_token_is_fetched_once_and_kept_under_the_service_s_name
    tokens/test_manager.py::test_an_expired_token_is_refreshed_when_it_can_be
    tokens/test_manager.py::test_an_expired_token_is_fetched_anew_when_it_cannot
invalidation deletes
    tokens/test_manager.py::test_invalidation_deletes_the_token
the provider's exceptions pass unchanged
    tokens/test_manager.py::test_the_provider_s_exception_passes_unchanged
a storage in memory keeps the object itself
    tokens/storage/test_memory.py::test_the_object_itself_is_kept
every storage: a missing key is none, deleting one is silent
    tokens/storage/test_contract.py::TestAlone::test_a_key_that_was_never_set_is_none
    tokens/storage/test_contract.py::TestShared::test_a_key_that_was_never_set_is_none
    tokens/storage/test_contract.py::TestShared::test_deleting_what_is_not_there_is_no_error
Django: six fields that older callers stored are a token; an entry ends with its token
    tokens/storage/test_django.py::test_the_six_fields_that_older_callers_stored_are_a_token
    tokens/storage/test_django.py::test_an_entry_ends_with_a_token_that_nothing_can_renew
any failure to fetch is an AuthenticationException with service and original
    tokens/test_providers.py::test_any_failure_is_an_authentication_failure_without_a_secret
a provider posts with the keywords data and headers
    tokens/test_providers.py::test_a_client_that_stands_in_for_the_network_will_do
client credentials in the form or in the header
    tokens/test_providers.py::test_the_client_is_named_in_the_form_by_default
    tokens/test_providers.py::test_the_client_can_be_named_in_the_header
a password grant names the user
    tokens/test_providers.py::test_a_password_is_sent_with_the_users_name

# Fetchers
POST sends a body, GET a query, other methods are a ValueError
    tokens/test_fetchers.py::TestBody::test_get_sends_the_data_in_the_query
    tokens/test_fetchers.py::TestBody::test_other_methods_are_an_error
a fetcher of one's own needs a name and a fetch
    tokens/test_fetchers.py::test_a_fetcher_of_one_s_own_needs_a_name_and_a_fetch
the token is in a header, in any case
    tokens/test_fetchers.py::TestHeader::test_the_token_is_in_a_header_in_any_case
the token is in a body: fields, types, content types
    tokens/test_fetchers.py::TestBody::test_it_posts_a_form
    tokens/test_fetchers.py::TestBody::test_it_posts_json
    tokens/test_fetchers.py::TestBody::test_the_fields_can_have_other_names
a TTL beats what the answer says; without either there is no end
    tokens/test_fetchers.py::TestBody::test_a_ttl_beats_what_the_answer_says
    tokens/test_fetchers.py::TestHeader::test_without_a_ttl_the_end_is_unknown
the points that subclasses override
    tokens/test_fetchers.py::TestBody::test_a_subclass_sends_the_token_of_another_step
    tokens/test_fetchers.py::TestHeader::test_a_subclass_sends_the_token_of_another_step
failures say what callers match
    tokens/test_fetchers.py::test_failures_say_what_callers_look_for

# Pipelines of fetchers
a dependency that is in no step is "not available"; the check can be switched off
    tokens/test_fetch_pipeline.py::test_steps_that_cannot_be_ordered_are_an_error
    tokens/test_fetch_pipeline.py::test_unchecked_dependencies_matter_only_when_the_step_runs
execute returns the last step's token; valid ones are not fetched again
    tokens/test_fetch_pipeline.py::test_each_step_runs_once_and_the_last_one_s_token_is_returned
a failure names the step and tells it
    tokens/test_fetch_pipeline.py::test_a_failure_names_the_step_and_tells_it
no steps are no token
    tokens/test_fetch_pipeline.py::test_without_steps_there_is_no_token
a TTL is for tokens without an end of their own
    tokens/test_fetch_pipeline.py::test_a_token_with_an_end_of_its_own_keeps_it
invalidation cascades and leaves the others
    tokens/test_fetch_pipeline.py::test_invalidation_cascades_and_leaves_the_others

# Exceptions and interfaces
the exceptions are a family, apart from Python's own of similar names
    test_contracts.py::test_the_exceptions_are_a_family
the text of an exception names its original
    test_client.py::TestErrors::test_a_failure_is_a_max_retry_exception_with_all_the_facts
interfaces ask for what they did
    test_contracts.py::test_an_interface_asks_for_these_members
    test_contracts.py::test_an_interface_is_implemented_by_these
    test_contracts.py::test_an_auth_hook_is_no_request_hook
a step needs nothing and logs a failure
    test_interfaces.py::test_a_step_needs_nothing_and_logs_a_failure_without_its_text

# Keys
auth_token:<service> and <prefix>:<step> stay as callers see them
    tokens/test_manager.py::test_a_token_is_fetched_once_and_kept_under_the_service_s_name
    tokens/test_fetch_pipeline.py::test_each_token_has_a_key_of_its_own
a fingerprint of service, client, user, scope and URL is beside the token and compared on reading
    tokens/test_providers.py::test_the_fingerprint_tells_what_a_token_is_for
    tokens/test_fetchers.py::test_the_fingerprint_tells_what_a_token_is_for
    tokens/test_manager.py::test_a_token_of_another_user_is_not_used
    tokens/test_fetch_pipeline.py::test_a_token_that_was_made_for_another_user_is_not_used
a value that a caller wrote without one is a hit
    tokens/test_manager.py::test_what_a_caller_stored_himself_is_a_hit
    tokens/test_fetch_pipeline.py::test_values_that_a_caller_stored_are_hits
profiles have a digest of their own in the key
    promises/test_a11_made_for.py::test_another_profile_has_tokens_of_its_own
    promises/test_a11_made_for.py::test_nothing_of_a_secret_or_a_user_is_in_a_key

# Renewing
force_refresh uses the refresh token where there is one, else fetches
    tokens/test_manager.py::test_force_refresh_renews_a_token_that_is_still_good
    tokens/test_manager.py::test_force_refresh_without_a_token_fetches_one
force_refresh keeps the old token until the new one is there
    tokens/test_manager.py::test_a_failed_renewal_keeps_the_old_token
    tokens/test_pipeline_renewal.py::test_a_failed_renewal_leaves_the_old_tokens
execute(force_refresh=True) renews every step
    tokens/test_fetch_pipeline.py::test_force_refresh_runs_every_step_and_deletes_nothing_first
refresh_from_step renews that one and what was derived from it
    tokens/test_fetch_pipeline.py::TestProvider::test_a_renewal_begins_where_it_was_told_to

# Order
unsorted steps are sorted
    tokens/test_fetch_pipeline.py::test_the_order_comes_from_the_dependencies
"not available" is said of a dependency that is in no step
    tokens/test_fetch_pipeline.py::test_steps_that_cannot_be_ordered_are_an_error

# Expiry
is_expired keeps its 30 seconds
    test_models.py::TestTokenData::test_is_expired_thirty_seconds_early
manager and pipeline leave a tenth of the life, at most 30 s, from the issue time
    test_models.py::TestTokenData::test_fresh_leaves_a_tenth_of_the_life_and_at_most_30_s
    tokens/test_manager.py::test_short_lives_are_usable
    tokens/test_pipeline.py::test_a_token_is_renewed_its_skew_before_its_end

# Errors with a body
they keep their prefix
    tokens/test_fetchers.py::test_failures_say_what_callers_look_for
the body is redacted and then cut to 500 characters
    tokens/test_fetchers.py::test_the_body_of_a_refusal_is_redacted_and_then_cut

# Jitter
the library's is a quarter of the capped delay and never above the cap
    test_retry.py::TestExponential::test_jitter_spreads_by_a_quarter
    test_retry.py::TestExponential::test_at_the_cap_the_spread_is_below_it
    test_retry.py::TestExponential::test_no_delay_is_negative_or_above_the_cap
profiles and the command line use full jitter
    profiles/test_build.py::TestRetryStrategy::test_its_numbers_are_those_of_the_table
    test_library_facts.py::test_the_jitter_of_a_profile_is_full

# Breaker
it counts every attempt: transport failures, 5xx, 408 and 429, and no other 4xx
    promises/test_d4_breaker.py::test_these_answers_count
    promises/test_d4_breaker.py::test_these_answers_do_not
    test_client_breaker.py::test_every_attempt_counts_and_no_retry_waits_for_an_open_circuit
    test_client_breaker.py::TestStrategy::test_failures_without_an_answer_count
it is asked before sending
    test_client_breaker.py::test_an_open_circuit_sends_nothing_and_is_raised_as_it_is
success closes it
    test_client_breaker.py::test_after_the_recovery_a_success_closes_it

# Timeouts
a request's timeout is one attempt, by the wall clock and with the body
    test_client.py::TestErrors::test_a_timeout_is_by_the_wall_clock_and_covers_the_body
    test_library_facts.py::test_each_attempt_has_the_whole_timeout
max_elapsed is everything
    test_client_retry.py::TestDeadline::test_it_covers_several_attempts_that_time_out
    test_client_retry.py::TestDeadline::test_it_covers_the_body
    test_client_retry.py::TestDeadline::test_no_wait_goes_beyond_it

# Bodies
form and multipart bodies carry their own content type and boundary
    test_client.py::TestRequests::test_a_form_and_a_multipart_body_carry_their_own_content_type
    test_encode.py::TestMultipart::test_each_body_has_a_boundary_of_its_own
text, bytes, lists and file objects are accepted
    test_encode.py::TestBody::test_a_raw_one_has_no_content_type_of_its_own
    test_encode.py::TestBody::test_a_list_of_pieces_is_a_raw_body
    test_encode.py::TestFiles::test_one_is_read_from_where_it_stands_as_often_as_needed
    test_encode.py::TestBody::test_a_form
    test_encode.py::TestBody::test_json
a retried upload is rewound, or not retried
    test_client_retry.py::TestUploads::test_one_is_rewound
    test_client_retry.py::TestUploads::test_one_that_cannot_be_rewound_is_not_retried
    test_client_retry.py::TestUploads::test_an_iterable_is_not_retried
JSON together with form data is an error
    test_encode.py::TestBody::test_there_is_one

# Credentials
default headers go to the base URL's origin only
    promises/test_b3_foreign_urls.py::test_another_origin_gets_nothing
    promises/test_b1_origins.py::TestRedirects::test_one_to_another_origin_is_followed_without_any_credential
API keys and managed tokens too
    test_client_auth.py::TestRecovery::test_a_foreign_url_is_neither_authenticated_nor_repeated
    promises/test_b1_origins.py::TestRedirects::test_one_to_another_origin_is_followed_without_any_credential
a cross-origin redirect strips all of them
    promises/test_b1_origins.py::TestRedirects::test_one_to_another_origin_is_followed_without_any_credential
    promises/test_b1_origins.py::TestRedirects::test_whatever_a_hook_added_is_stripped
    promises/test_b1_origins.py::TestTls::test_a_client_certificate_is_shown_at_home_only
.netrc never replaces them
    promises/test_b2_environment.py::TestNetrc::test_it_is_never_read
    promises/test_b2_environment.py::TestNetrc::test_not_after_a_redirect_either
    promises/test_b2_environment.py::TestNetrc::test_the_requests_own_credential_is_sent
an excluded path that answers 401 neither renews nor sends again
    test_client_auth.py::TestRecovery::test_an_excluded_path_is_neither_authenticated_nor_repeated
an unknown composite strategy is an error
    test_auth.py::TestCompositeAuthHook::test_any_other_strategy_is_an_error
token_type is honoured
    test_auth.py::TestTokenAuthHook::test_adds_the_managers_token
    tokens/test_fetchers.py::TestBody::test_the_answer_s_own_type_beats_the_default

# Errors
TLS failures are SSLException and not retried
    test_client_retry.py::TestPermanentFailures::test_tls_failures_are_not_retried
what was not retried says so, is a MaxRetryException and has its cause
    test_client.py::TestErrors::test_what_was_not_retried_says_so
    test_client.py::TestErrors::test_a_failure_is_a_max_retry_exception_with_all_the_facts
raise_for_status raises the class that fits
    test_models.py::TestHttpResponse::test_raise_for_status_raises_the_class_that_fits
with_raise_for_status raises it directly
    test_client.py::TestResponses::test_statuses_are_raised_directly_when_asked
    test_config.py::test_settings_reach_the_config
all exceptions can be pickled
    test_contracts.py::test_every_exception_can_be_pickled
messages hold no secret
    test_client.py::TestErrors::test_no_message_quotes_a_secret
    test_models.py::TestHttpResponse::test_the_error_and_its_preview_hold_no_secret
    promises/test_b5_one_redactor.py::test_nothing_written_for_people_holds_a_secret
messages hold no whole response body
    tokens/test_providers.py::test_any_failure_is_an_authentication_failure_without_a_secret
    test_models.py::TestHttpResponse::test_raise_for_status_raises_the_class_that_fits
    test_library_facts.py::test_no_message_holds_a_whole_body
a request hook that raises stops the request
    test_client.py::TestRequestHooks::test_one_that_raises_stops_the_request
a hook that returns nothing is an error that names it
    test_client.py::TestRequestHooks::test_one_that_returns_nothing_is_an_error_that_names_it
    test_client.py::TestResponseHooks::test_one_that_returns_nothing_is_an_error_that_names_it
    test_client_auth.py::TestFailures::test_a_hook_that_returns_nothing_is_named

# Retry
POST and PATCH are not repeated
    test_client_retry.py::TestUnsafeMethods::test_only_what_may_be_repeated_is
    test_client_retry.py::TestUnsafeMethods::test_nothing_was_sent
    test_client_retry.py::TestUnsafeMethods::test_an_idempotency_key_allows_it
Retry-After, in seconds or as a date, is obeyed and capped
    test_client_retry.py::TestRetryAfter::test_seconds_are_obeyed
    test_client_retry.py::TestRetryAfter::test_a_date_is_obeyed
    test_client_retry.py::TestRetryAfter::test_too_long_a_wait_ends_it_at_once
status retries work with every strategy that lists statuses
    test_client_retry.py::TestAttempts::test_any_strategy_that_lists_statuses_retries_them
    test_client_retry.py::TestAttempts::test_any_object_with_the_members_will_do
jitter is applied below the cap
    test_retry.py::TestExponential::test_at_the_cap_the_spread_is_below_it
empty sets mean empty
    test_retry.py::TestExponential::test_its_statuses_can_be_replaced_and_an_empty_set_is_none
    test_retry.py::TestSimple::test_only_what_is_listed_counts_and_an_empty_list_is_nothing
    test_retry.py::TestAuthStrategies::test_other_statuses_may_mean_a_refusal_and_none_may
base_delay=0 works
    test_retry.py::TestExponential::test_no_delay_works
permanent errors are not retried
    test_client_retry.py::TestPermanentFailures::test_what_cannot_be_built_is_not_retried
    test_client_retry.py::TestPermanentFailures::test_a_refused_redirect_is_not_retried
a total deadline exists
    test_client_retry.py::TestDeadline::test_no_wait_goes_beyond_it
    test_client_retry.py::TestDeadline::test_one_request_may_have_one
a strategy can be overridden for one request
    test_client_retry.py::TestAttempts::test_a_request_may_have_its_own_strategy
    test_library_facts.py::test_the_strategy_of_a_request_replaces_that_of_the_client

# Circuit breaker
half-open admits exactly half_open_max_calls
    breaker/test_breaker.py::test_half_open_admits_exactly_so_many
    breaker/test_breaker.py::test_32_threads_at_half_open_are_admitted_exactly_so_often
    test_client_breaker.py::TestStrategy::test_threads_send_exactly_so_many_trials
it is safe under threads
    breaker/test_memory.py::test_no_change_of_any_thread_is_lost
    test_threads.py::test_a_breaker_strategy_counts_every_failure
its clock is monotonic
    test_library_facts.py::test_what_waits_and_counts_uses_the_monotonic_clock
    breaker/test_file.py::test_times_are_monotonic_however_the_wall_clock_is_set
there is one for each origin
    breaker/test_breaker.py::test_origins_know_nothing_of_each_other
    test_client_breaker.py::TestStrategy::test_it_counts_each_attempt_once_by_origin
    promises/test_d4_breaker.py::test_one_origins_failures_are_not_anothers

# Time
one clock writes and reads an end
    test_library_facts.py::test_the_local_zone_changes_nothing_about_a_life
naive input is local time
    test_models.py::TestMoments::test_a_naive_moment_is_local_time
DST, time zones and aware values all work
    test_models.py::TestMoments::test_clock_changes_and_zones_do_not_matter
    test_models.py::TestMoments::test_local_and_aware_are_each_others_inverse
lives under 30 s are usable
    tokens/test_manager.py::test_short_lives_are_usable
expires_in may be a numeric text, a float, null, absent, 0
    test_models.py::TestTokenFromResponse::test_every_kind_of_lifetime_is_defined
    test_models.py::TestTokenFromResponse::test_without_a_lifetime_the_end_is_unknown
    promises/test_a10_lifetimes.py::test_every_lifetime_has_a_meaning

# Tokens
what a token is for covers service, client, user, scope and URL
    tokens/test_providers.py::test_the_fingerprint_tells_what_a_token_is_for
    tokens/test_providers.py::test_the_token_of_one_user_is_not_anothers
one fetch for any number of threads
    tokens/test_manager.py::test_any_number_of_threads_fetch_once
    test_library_facts.py::test_a_token_endpoint_is_asked_once_by_all_threads_that_wait_for_it
force_refresh does not throw away what another thread has just obtained
    tokens/test_manager.py::test_threads_that_were_all_refused_renew_once
    tokens/test_manager.py::test_a_storm_of_401_costs_one_renewal_and_each_request_is_sent_again_once
    test_auth.py::TestTokenAuthHook::test_a_token_that_somebody_else_renewed_meanwhile_is_taken
an answer without a refresh token keeps the old one
    tokens/test_providers.py::TestRefreshing::test_an_answer_without_a_refresh_token_keeps_the_old_one
refreshing uses the same client authentication and parameters
    tokens/test_providers.py::TestRefreshing::test_it_names_the_client_and_the_parameters_as_before
a dead token endpoint is asked once
    tokens/test_providers.py::test_a_connection_that_breaks_while_refreshing_is_not_followed_by_a_fetch
    tokens/test_pipeline_threads.py::test_those_who_wait_for_a_dead_server_share_one_failure
    test_library_facts.py::test_a_token_endpoint_is_asked_once_by_all_threads_that_wait_for_it
providers and fetchers close their clients
    test_library_facts.py::test_a_provider_closes_its_connection
    tokens/test_fetchers.py::test_a_closed_fetcher_opens_a_new_connection
    tokens/test_fetch_pipeline.py::TestProvider::test_closing_closes_the_steps
storages hand out immutable values
    tokens/storage/test_contract.py::TestAlone::test_what_is_got_cannot_be_changed
    tokens/storage/test_contract.py::TestShared::test_what_is_got_cannot_be_changed
TokenData is frozen
    test_models.py::TestTokenData::test_is_immutable_and_equal_by_value

# Storages that fail
a token that cannot be saved is used, and that is told once
    test_library_facts.py::test_a_token_that_cannot_be_saved_is_used_and_that_is_logged_once
    tokens/test_pipeline_unwritable.py::test_the_token_is_used_and_one_warning_given
one that cannot be read is an error, and nothing is sent
    integration/test_redis_killed.py::TestLibrary::test_who_cannot_read_is_told_so_and_sends_nothing
    integration/test_redis_killed.py::TestExecutable::test_while_it_is_down_nothing_is_sent_and_afterwards_all_is_well
one that dies in the middle of a renewal costs at most the saving
    integration/test_redis_killed.py::TestLibrary::test_the_fresh_token_is_used_and_the_next_renewal_is_saved
    integration/test_redis_killed.py::TestLibrary::test_who_waits_for_the_lock_is_told_so_and_sends_nothing
    integration/test_redis_killed.py::TestLibrary::test_a_token_that_another_obtained_meanwhile_is_not_overwritten
    integration/test_redis_killed.py::TestExecutable::test_the_request_goes_out_with_the_fresh_token_and_one_notice
    integration/test_redis_killed.py::TestExecutable::test_a_renewal_that_is_asked_for_is_an_error

# Pipelines
order comes from depends_on: unsorted steps are fine
    tokens/test_fetch_pipeline.py::test_the_order_comes_from_the_dependencies
cycles and duplicates are errors
    tokens/test_fetch_pipeline.py::test_steps_that_cannot_be_ordered_are_an_error
a renewed step drops what was derived from it
    tokens/test_fetch_pipeline.py::test_a_renewed_step_drops_what_was_derived_from_it
only what is needed runs
    tokens/test_fetch_pipeline.py::test_only_what_is_needed_runs
step TTL is in the returned token
    tokens/test_fetch_pipeline.py::test_a_ttl_is_in_the_returned_token_and_in_the_stored_one
refresh_from_step renews that step and its dependents only
    tokens/test_fetch_pipeline.py::TestProvider::test_a_renewal_begins_where_it_was_told_to
401 recovery works
    tokens/test_fetch_pipeline.py::TestProvider::test_a_storm_of_401_costs_one_renewal
concurrent execute() runs each step once
    test_library_facts.py::test_a_pipeline_runs_each_step_once_for_all_threads_that_wait_for_it
    tokens/test_fetch_pipeline.py::test_any_number_of_threads_run_each_step_once
    tokens/test_fetch_pipeline.py::test_pipelines_over_one_file_run_each_step_once
a step receives only its declared dependencies
    tokens/test_fetch_pipeline.py::test_a_step_receives_only_what_it_depends_on
keys of different pipelines, users and environments never collide
    tokens/test_fetch_pipeline.py::test_a_token_that_was_made_for_another_user_is_not_used
    promises/test_a11_made_for.py::test_another_environment_logs_in_anew_where_it_is_used
    promises/test_a11_made_for.py::test_another_profile_has_tokens_of_its_own
    test_library_facts.py::test_pipelines_with_prefixes_of_their_own_share_a_storage

# Models, done right
mappings inside are read-only
    test_models.py::TestHttpRequest::test_its_mappings_cannot_be_changed
    test_models.py::TestHttpRequest::test_nested_mappings_cannot_be_changed_either
    test_config.py::test_a_config_cannot_be_changed
they are equal to plain ones, hash, copy, pickle and work with asdict
    test_models.py::TestFrozenDict::test_is_equal_to_a_plain_one
    test_models.py::TestFrozenDict::test_equal_ones_hash_alike_in_any_order
    test_models.py::TestHttpRequest::test_a_copy_is_equal_and_has_the_same_hash
    test_models.py::TestHttpResponse::test_can_be_pickled_copied_and_hashed
response headers are found in any case and keep repeated fields
    test_client.py::TestResponses::test_headers_are_found_in_any_case_and_repeated_fields_are_kept
    test_models.py::TestHeaders::test_repeated_fields_are_kept_and_joined
text without a charset is UTF-8 when it decodes, an unknown charset falls back, a BOM is fine
    test_models.py::TestHttpResponse::test_its_text_is_decoded
    test_models.py::TestHttpResponse::test_json_is_parsed
repr shows no secret
    test_models.py::TestHttpRequest::test_its_repr_shows_no_secret
    test_models.py::TestHttpResponse::test_its_repr_shows_no_body_and_no_secret
    test_models.py::TestTokenData::test_its_repr_shows_no_secret
    test_client_compat.py::TestNothingSecretIsPrinted::test_a_config_prints_none_of_its_secrets
elapsed_ms covers the body
    test_client.py::TestResponses::test_the_time_covers_the_body
a stream is an iterator with bounded memory
    test_client.py::TestStreams::test_a_body_is_read_as_it_comes
    test_client.py::TestStreams::test_memory_stays_flat
head and options exist
    test_client.py::TestRequests::test_every_verb_sends_its_method
cookies, proxy, client certificate and CA bundle are configurable
    test_client.py::TestRequests::test_defaults_are_below_the_requests_own
    promises/test_b2_environment.py::TestProxies::test_explicit_ones_replace_it
    promises/test_b1_origins.py::TestTls::test_a_client_certificate_is_shown_at_home_only
    promises/test_b2_environment.py::TestAuthorities::test_an_explicit_file_beats_it
methods may be plain text, which is validated
    test_client.py::TestShortcuts::test_the_methods_of_a_plain_text_are_those_of_the_enum
    test_models.py::TestHttpRequest::test_known_methods_may_be_text_in_any_case
    test_models.py::TestHttpRequest::test_what_is_no_method_is_refused

# to_curl
it equals what the client sends: base URL, defaults, hooks
    test_client_curl.py::test_the_command_sends_what_the_client_sends
    test_client_curl.py::test_a_prepared_request_is_the_same_command
    test_client.py::TestPrepare::test_it_is_what_will_be_sent
parameters that are None are left out
    test_client_curl.py::test_the_command_sends_what_the_client_sends
    test_encode.py::TestUrl::test_parameters_are_added_to_its_query
the fragment is last
    curl/test_request.py::test_the_url_comes_last_with_its_query
HEAD is -I
    curl/test_request.py::test_head_is_asked_for_with_its_own_option
globbing is off where it matters
    curl/test_request.py::test_the_url_comes_last_with_its_query
    curl/test_command.py::test_dot_segments_and_brackets_reach_the_server
an empty header is X;
    curl/test_request.py::test_the_command_sends_what_the_client_sends
    test_client_curl.py::test_the_command_sends_what_the_client_sends
bodies are --data-raw or --data-binary, and mean what they say
    curl/test_request.py::test_a_request_is_one_line_in_a_fixed_order
    curl/test_command.py::test_curl_sends_the_request_as_it_was
files and fields together
    test_client_curl.py::test_fields_and_files_travel_together
-L, -k and --max-time where they apply
    curl/test_command.py::test_each_setting_has_its_option
it runs in a shell
    curl/test_request.py::test_each_shell_hands_curl_the_arguments_that_were_meant
    curl/test_command.py::test_curl_sends_the_parts_as_they_were
what callers look for is in it
    test_client_curl.py::test_callers_find_what_they_look_for

# Concurrency
request_many has at most max_workers in flight and in memory
    test_many.py::test_no_more_are_in_flight_or_in_memory_than_there_are_workers
it stops on fail_fast
    test_many.py::test_fail_fast_raises_at_once_and_sends_nothing_more
it closes cleanly when abandoned
    test_many.py::test_abandoning_it_waits_for_what_is_in_flight_and_sends_nothing_more
it shares one cookie jar
    test_many.py::test_cookies_are_shared
the connection pool fits the workers
    test_many.py::test_the_pool_fits_the_workers
sessions of finished threads are closed
    transport/test_session.py::test_sessions_of_finished_threads_are_closed
an injected session belongs to the caller
    test_client.py::TestSessions::test_an_injected_one_is_used_through_send_and_stays_open
    transport/test_session.py::test_an_injected_session_is_used_and_not_closed

# Names that were added
HttpClient.head and options
    test_client.py::TestRequests::test_every_verb_sends_its_method
HttpClient.stream: status, headers, iter_bytes; what breaks off raises
    test_client.py::TestStreams::test_a_body_is_read_as_it_comes
    test_client.py::TestStreams::test_pieces_are_no_larger_than_asked
    test_client.py::TestStreams::test_one_that_breaks_off_raises
HttpClient.prepare is what will be sent, and what cURL and --offline show
    test_client.py::TestPrepare::test_it_is_what_will_be_sent
    test_client_curl.py::test_a_prepared_request_is_the_same_command
    cli/commands/test_send.py::TestOffline::test_the_request_is_printed
HttpRequest.retry_strategy
    test_client_retry.py::TestAttempts::test_a_request_may_have_its_own_strategy
    test_library_facts.py::test_the_strategy_of_a_request_replaces_that_of_the_client
HttpRequest.cookies
    test_client.py::TestRequests::test_get_takes_the_fields_of_a_request_and_nothing_else
    test_encode.py::TestHeaders::test_cookies_follow_a_cookie_header
HttpRequest.content: raw bytes, text or an iterable
    test_encode.py::TestBody::test_a_raw_one_has_no_content_type_of_its_own
    test_client.py::TestRequests::test_an_iterable_is_sent_in_chunks
HttpRequest.method: any token; anything else is a RequestBuildException
    test_client.py::TestRequests::test_a_method_may_be_any_token
    test_models.py::TestHttpRequest::test_what_is_no_method_is_refused
HttpResponse.raise_for_status returns the response or raises the class that fits
    test_models.py::TestHttpResponse::test_raise_for_status_returns_what_is_no_error
    test_models.py::TestHttpResponse::test_raise_for_status_raises_the_class_that_fits
the settings of the config and the builder
    test_config.py::test_settings_reach_the_config
    test_client.py::TestResponses::test_a_body_above_the_limit_is_an_error
    test_client_breaker.py::TestBudget::test_the_builder_sets_both
    promises/test_b1_origins.py::TestRedirects::test_further_origins_may_be_named
AuthHookInterface.finish is last, over the encoded request, on every attempt
    test_client_auth.py::TestOrder::test_finish_sees_the_encoded_request_of_each_attempt
    test_interfaces.py::test_an_auth_hook_leaves_the_encoded_request_as_it_is
AuthHookInterface.recover: is_auth_error and then refresh_auth
    test_interfaces.py::test_an_auth_hook_recovers_from_what_it_calls_an_auth_error
AuthHookInterface.recover sees every response, each hop of a redirect chain too
    test_client_auth.py::TestDuckTyping::test_recover_of_ones_own_sees_every_answer
    login/test_hook.py::TestRecovering::test_it_says_it_later_in_a_chain_too
TokenStorageInterface.lock: one for each process by default
    test_interfaces.py::test_a_storage_without_a_lock_gets_one_a_key
    tokens/storage/test_contract.py::TestAlone::test_the_lock_of_a_key_excludes_other_threads
file, Redis, keyring and Django lock between processes
    tokens/storage/test_contract.py::TestShared::test_the_lock_of_a_key_excludes_the_other
    promises/test_a6_locks.py::test_the_lock_of_a_killed_process_is_free_at_once
    tokens/storage/test_redis.py::test_the_lock_of_a_killed_process_ends
    tokens/storage/test_keyring.py::test_a_lock_is_held_between_processes_and_ends_with_them
    tokens/storage/test_django.py::test_a_lost_lock_stops_the_save_and_the_spending_of_a_refresh_token
ForgeError is above all, with a hint
    test_contracts.py::test_the_exceptions_are_a_family
    test_contracts.py::test_every_exception_can_be_pickled
classes of the command line are not public names
    test_contracts.py::test_every_public_exception_is_drawn
load_profile gives a client and tokens
    profiles/test_build.py::test_a_profile_is_loaded_by_name_from_a_file
    profiles/test_build.py::TestTokens::test_it_yields_the_token_that_requests_carry
forge_cli.testing: a scripted server, a token endpoint, the contract of a storage
    testing/test_testing.py::test_every_name_loads
    testing/test_server.py::test_answers_come_in_order_and_the_last_stays
    testing/test_token_endpoint.py::TestWithTheLibrary::test_a_refused_token_is_replaced_once
    tokens/storage/test_contract.py::test_every_storage_of_the_table_keeps_the_contract
"""


def table() -> dict[str, list[str]]:
    """Each promise and its tests; a promise is told from others by the heading it is under."""
    found: dict[str, list[str]] = {}
    heading = promise = ""
    for line in filter(None, PROMISES.splitlines()):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith(" "):
            found[promise].append(line.strip())
        else:
            promise = f"{heading}: {line}"
            assert promise not in found, f"said twice: {promise}"
            found[promise] = []
    return found


def test_each_promise_has_a_test() -> None:
    assert [promise for promise, tests in table().items() if not tests or len(set(tests)) < len(tests)] == []


@pytest.mark.parametrize("path", sorted({test.partition("::")[0] for tests in table().values() for test in tests}))
def test_the_tests_of_the_promises_are_there(path: str) -> None:
    module = importlib.import_module("tests." + path.removesuffix(".py").replace("/", "."))
    for named in {test for tests in table().values() for test in tests if test.startswith(f"{path}::")}:
        found: object = module
        for name in named.split("::")[1:]:
            found = getattr(found, name, None)
        assert callable(found), f"no such test: {named}"
