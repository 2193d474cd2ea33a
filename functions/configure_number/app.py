"""Asked by CloudFormation: point the numbers at this stack, or back."""

from twilio_plugin.runtime.wiring import number

lambda_handler = number.configure_number()
