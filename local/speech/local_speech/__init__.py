"""Engines that hear and speak on this machine, without an account: pocketsphinx and flite.

The folder above this package is a layer of its own, so that functions on the local engine can name its classes where AWS's
stand otherwise: ``local_speech.pocketsphinx:PocketsphinxTranscriber`` and ``local_speech.flite:LocalSynthesizer``.
"""
