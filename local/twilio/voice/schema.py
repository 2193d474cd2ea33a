"""The verbs and nouns of voice, with their attributes: names as in the helper library 9.13.0."""

from dataclasses import dataclass

# Verbs that Twilio has and the stand-in has not. What it plays one day moves to SCHEMA and into `verbs`.
NOT_PLAYED = frozenset({"Echo", "Enqueue", "Pay", "Prompt", "Queue", "Refer", "Sms"})


@dataclass(frozen=True)
class Element:
    """``any_children`` where SSML may stand."""

    attributes: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    any_children: bool = False


def _element(attributes: str = "", children: str = "", *, any_children: bool = False) -> Element:
    return Element(frozenset(attributes.split()), frozenset(children.split()), any_children)


SCHEMA: dict[str, Element] = {
    "Say": _element("voice loop language", any_children=True),
    "Play": _element("loop digits"),
    "Pause": _element("length"),
    "Gather": _element(
        "input action method timeout speechTimeout maxSpeechTime profanityFilter finishOnKey numDigits"
        " partialResultCallback partialResultCallbackMethod language hints bargeIn debug actionOnEmptyResult speechModel"
        " enhanced dtmfDetection",
        "Say Play Pause",
    ),
    "Redirect": _element("method"),
    "Reject": _element("reason", "Parameter"),
    "Hangup": _element("", "Parameter"),
    "Leave": _element(),
    "Record": _element(
        "action method timeout finishOnKey maxLength playBeep trim recordingStatusCallback recordingStatusCallbackMethod"
        " recordingStatusCallbackEvent transcribe transcribeCallback recordingTrack"
    ),
    "Dial": _element(
        "action method timeout hangupOnStar timeLimit callerId record trim recordingStatusCallback"
        " recordingStatusCallbackMethod recordingStatusCallbackEvent answerOnBridge ringTone recordingTrack sequential"
        " referUrl referMethod events",
        "Number Client Sip Conference Queue Sim Application",
    ),
    "Number": _element(
        "sendDigits url method statusCallbackEvent statusCallback statusCallbackMethod byoc machineDetection"
        " amdStatusCallbackMethod amdStatusCallback machineDetectionTimeout machineDetectionSpeechThreshold"
        " machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout"
    ),
    "Connect": _element("action method", "Stream ConversationRelay"),
    "Start": _element("action method", "Stream Recording Transcription"),
    "Stop": _element("", "Stream Recording Transcription"),
    "Stream": _element("name connectorName url track statusCallback statusCallbackMethod audioFormat sampleRate", "Parameter"),
    # A name is documented, though the helper library has no parameter for it.
    "Recording": _element(
        "name recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent trim track channels"
        " recordingConfigurationId"
    ),
    "Transcription": _element(
        "name track statusCallbackUrl statusCallbackMethod inboundTrackLabel outboundTrackLabel partialResults languageCode"
        " transcriptionEngine profanityFilter speechModel hints enableAutomaticPunctuation intelligenceService"
        " conversationConfiguration conversationId enableProviderData",
        "Config Parameter",
    ),
    "Config": _element("name value"),
    # eotThreshold and conversationConfiguration are documented, though the helper library has no parameters for them.
    "ConversationRelay": _element(
        "url language ttsLanguage transcriptionLanguage ttsProvider voice transcriptionProvider speechModel profanityFilter"
        " dtmfDetection welcomeGreeting partialPrompts welcomeGreetingInterruptible interruptible preemptible hints"
        " intelligenceService reportInputDuringAgentSpeech elevenlabsTextNormalization interruptSensitivity debug"
        " backgroundNoiseReduction speechTimeout deepgramSmartFormat ignoreBackchannel events partialPromptOnHangup"
        " eagerEotThreshold eotThreshold asrSmartFormat ttsTextNormalization ttsLanguageTextNormalization"
        " elevenlabsLanguageTextNormalization includeInPrompt customerName applicationReconnect echoPromptFiltering"
        " turnDetection conversationConfiguration",
        "Language Parameter",
    ),
    "Language": _element(
        "code ttsProvider voice transcriptionProvider speechModel hints asrSmartFormat ttsTextNormalization"
        " ttsLanguageTextNormalization"
    ),
    "Parameter": _element("name value"),
}
NESTED_ONLY = frozenset(
    {"Config", "ConversationRelay", "Language", "Number", "Parameter", "Recording", "Stream", "Transcription"}
)
