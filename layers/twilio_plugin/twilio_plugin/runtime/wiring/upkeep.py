"""Functions that nobody calls: Twilio's reports, the relay, reconciliation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from twilio_plugin.runtime.http import Form

Handler = Callable[[Any, Any], Any]


def status_webhook() -> Handler:
    from twilio_plugin.domain.call import call_update
    from twilio_plugin.domain.machine_detection import answered_by
    from twilio_plugin.domain.recording import recording
    from twilio_plugin.domain.status_callback import subject
    from twilio_plugin.domain.stream_status import stream_update
    from twilio_plugin.domain.transcription import transcription_report
    from twilio_plugin.runtime.http import no_content, webhook
    from twilio_plugin.services.answered_by import track_answered_by
    from twilio_plugin.services.end_stream import StreamEnder, call_ended, track_stream
    from twilio_plugin.services.track_call import track_call
    from twilio_plugin.services.track_recording import track_recording
    from twilio_plugin.services.track_status import status_update, track_status
    from twilio_plugin.services.track_transcription import Listener, track_transcription

    env = config.read(config.StatusWebhook)
    outbox, conversations = parts.tables(env, env.ledger_secret)
    calls, streams = parts.calls(env, outbox), parts.streams(env, outbox)
    utterances = parts.utterances(env, outbox, conversations)
    ender = StreamEnder(streams, utterances, parts.frames(env.media_frames_table), parts.now)
    minutes = parts.call_minutes(env)
    listener = Listener(calls, parts.transcriptions(env, outbox, conversations), parts.now)

    def message(form: Form, query: Mapping[str, str]) -> None:
        update = status_update(form, query)
        logger.append_keys(message_sid=update.message_sid)
        new = track_status(update, conversations, parts.now)
        logger.info("message status", extra={"status": update.status, "error_code": update.error_code, "new": new})

    def call(form: Form, query: Mapping[str, str]) -> None:
        update = call_update(form, query)
        new = track_call(update, calls, parts.now)
        if update.ended:
            call_ended(update.call_sid, ender)
            minutes.over(update)
        logger.info("call status", extra={"status": update.status, "new": new})

    def machine(form: Form, query: Mapping[str, str]) -> None:
        detected = answered_by(form, query)
        new = track_answered_by(detected, calls, parts.now)
        logger.info("answered by", extra={"answered_by": detected.answered_by, "new": new})

    def recorded(form: Form, _query: Mapping[str, str]) -> None:
        update = recording(form)
        new = track_recording(update, calls, parts.now)
        logger.info("recording", extra={"recording_sid": update.recording_sid, "status": update.status, "new": new})

    def stream(form: Form, _query: Mapping[str, str]) -> None:
        update = stream_update(form)
        track_stream(update, ender)
        logger.info("stream status", extra={"stream_sid": update.stream_sid, "event": update.event, "error": update.error})

    def transcribed(form: Form, query: Mapping[str, str]) -> None:
        report = transcription_report(form, query)
        turns = track_transcription(report, listener)
        about = {"transcription_sid": report.transcription_sid, "event": report.event, "sequence_id": report.sequence_id}
        # Not the words of an error: nobody knows what Twilio puts into them.
        logger.info("transcription", extra=about | {"turns": turns, "error_code": report.error_code})

    tracks = {
        "message": message,
        "call": call,
        "answered_by": machine,
        "recording": recorded,
        "stream": stream,
        "transcription": transcribed,
    }

    def use_case(form: Form, query: Mapping[str, str]) -> None:
        if "CallSid" in form:
            logger.append_keys(call_sid=form["CallSid"])
        tracks[subject(form)](form, query)

    return webhook(
        use_case,
        parts.is_signed(env.twilio_secret),
        env.twilio_webhook_url,
        no_content(),
        admits_source=minutes.limits.admits_source,
    )


def event_relay() -> Handler:
    from twilio_plugin.adapters.outbox import OutboxTable, from_stream
    from twilio_plugin.runtime.stream import relay
    from twilio_plugin.services.relay_events import relay_events

    env = config.read(config.Relay)
    bus = parts.bus(env.event_bus_name)
    outbox = OutboxTable(parts.dynamodb(), env.outbox_table)
    return relay(from_stream, lambda announcements: relay_events(announcements, bus, outbox))


def reconcile() -> Handler:
    from dataclasses import asdict

    from twilio_plugin.adapters.call_requests import CallRequestsTable
    from twilio_plugin.adapters.claims import Claims
    from twilio_plugin.adapters.sends import SendsTable
    from twilio_plugin.services import reconcile as service
    from twilio_plugin.services import reconcile_calls as call_service
    from twilio_plugin.services import reconcile_streams as stream_service
    from twilio_plugin.services import reconcile_transcriptions as transcription_service
    from twilio_plugin.services.end_stream import StreamEnder
    from twilio_plugin.services.track_transcription import Listener

    env = config.read(config.Reconcile)
    outbox, conversations = parts.tables(env)
    by = service.Reconciler(
        outbox=outbox,
        bus=parts.bus(env.event_bus_name),
        sends=SendsTable(parts.dynamodb(), env.conversations_table, outbox, conversations, parts.now),
        texting=parts.texting(env),
        clock=parts.now,
        account_sid=env.twilio_account_sid,
    )

    claims = Claims(parts.dynamodb(), env.conversations_table, parts.now, kind="call")
    calls = parts.calls(env, outbox)
    calls_by = call_service.CallReconciler(
        requests=CallRequestsTable(parts.dynamodb(), claims, env.calls_table, calls, outbox),
        calls=calls,
        calling=parts.calling(env),
        minutes=parts.call_minutes(env),
        clock=parts.now,
        account_sid=env.twilio_account_sid,
    )

    utterances = parts.utterances(env, outbox, conversations)
    ender = StreamEnder(parts.streams(env, outbox), utterances, parts.frames(env.media_frames_table), parts.now)
    streams_by = stream_service.StreamReconciler(ender, calls)
    listener = Listener(calls, parts.transcriptions(env, outbox, conversations), parts.now)
    transcriptions_by = transcription_service.TranscriptionReconciler(listener)

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(_event: Any, _context: Any) -> dict[str, Any]:
        # Trouble with the one is no reason to leave the other.
        try:
            texts_done = service.reconcile(by)
        finally:
            try:
                calls_done = call_service.reconcile_calls(calls_by)
            finally:
                try:
                    streams_ended = stream_service.reconcile_streams(streams_by)
                finally:
                    heard = transcription_service.reconcile_transcriptions(transcriptions_by)
        done = asdict(texts_done) | {"calls": asdict(calls_done), "streams_ended": streams_ended}
        done |= {"transcriptions": asdict(heard)}
        logger.info("reconciled", extra=done)
        return done

    return lambda_handler


def forget() -> Handler:
    from datetime import timedelta

    from twilio_plugin.adapters.media_bucket import MediaBucket
    from twilio_plugin.adapters.personal_data import PersonalDataTables
    from twilio_plugin.adapters.twilio_records import TwilioErasure
    from twilio_plugin.domain.actions import Forget, Forgotten
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.forget import Forgetter
    from twilio_plugin.services.forget import forget as service

    env = config.read(config.Forget)
    by = Forgetter(
        data=PersonalDataTables(
            parts.dynamodb(),
            {"outbox": env.outbox_table, "calls": env.calls_table, "conversations": env.conversations_table},
            frames_table=env.media_frames_table,
        ),
        media=MediaBucket(parts.s3, env.media_bucket),
        twilio=TwilioErasure(parts.twilio(env)),
        clock=parts.now,
        until=lambda: parts.now() + timedelta(minutes=12),  # of fifteen; a page may take a while
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
    )

    def use_case(request: Forget, _request_id: str) -> Forgotten:
        done = service(request, by)
        logger.info("forgotten", extra=done.model_dump(exclude={"kept", "next_token"}))
        return done

    return function(Forget, use_case)
