"""How it is done: AWS's services, Twilio and the engines that hear and speak, behind the services' ports."""
