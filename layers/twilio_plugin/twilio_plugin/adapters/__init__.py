"""How it is done: DynamoDB, EventBridge, Secrets Manager and Twilio behind the services' ports."""
