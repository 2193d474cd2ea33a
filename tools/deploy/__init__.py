"""``make deploy``: the questions of a first deployment, and SAM.

SAM's own guide would ask for every parameter, and takes no empty answer where one is not echoed; so the few questions are asked
here, with what Twilio says to the answers, and SAM is given a file.
"""
